#include "ntkrob/kernel/spec.hpp"

#include <fstream>
#include <iterator>
#include <sstream>

#include "kit/check.hpp"
#include "layers/all.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/base/spec_text.hpp"

using namespace ntkrob;

namespace {

std::string error_of(const std::string& spec) {
  try {
    KernelSpec::parse(spec);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

/// The names of a list with commas.
std::vector<std::string> names_in(const std::string& list) {
  std::vector<std::string> names;
  std::istringstream in(list);
  for (std::string name; std::getline(in >> std::ws, name, ',');) names.push_back(name);
  return names;
}

}  // namespace

TEST_CASE("fc:L stands for L pairs of dense and relu and a readout", "[kernel]") {
  const KernelSpec spec = KernelSpec::parse("fc:3");
  REQUIRE(spec.layers().size() == 7);
  CHECK(spec == KernelSpec::parse("dense-relu-dense-relu-dense-relu-dense"));
  CHECK(spec.hash() == KernelSpec::parse(spec.to_string()).hash());
  CHECK(spec.hash() != KernelSpec::parse("fc:3(b=0)").hash());
  CHECK(KernelSpec::parse("fc:0").to_string() == "dense(w=1.4142135623730951,b=0.1)");
  CHECK(KernelSpec::parse("fc:1(2,0.5)").to_string() == "dense(w=2,b=0.5)-relu-dense(w=2,b=0.5)");
}

TEST_CASE("the printed form parses back to the same spec", "[kernel]") {
  for (const char* text : {"fc:2", "dense(w=1.5,b=0)-relu-dense(b=0.3)", " dense ( w = 1e-3 ) - relu - dense "}) {
    const KernelSpec spec = KernelSpec::parse(text);
    CHECK(KernelSpec::parse(spec.to_string()).to_string() == spec.to_string());
  }
}

TEST_CASE("every layer of a network on images prints with all its parameters and parses back", "[kernel]") {
  const std::string dense = "w=1.4142135623730951,b=0.1";
  const auto printed = [](const std::string& layers) {
    const KernelSpec spec = KernelSpec::parse(layers + "-gap-dense");
    CHECK(KernelSpec::parse(spec.to_string()) == spec);
    CHECK(KernelSpec::parse(spec.to_string()).hash() == spec.hash());
    const std::string all = spec.to_string();
    return all.substr(0, all.find("-gap"));
  };
  CHECK(printed("conv(3)") == "conv(3,stride=1,pad=same,dilation=1," + dense + ")");
  CHECK(printed("conv(3,5,w=2,b=0,stride=2,pad=valid,dilation=3)") ==
        "conv(3,5,stride=2,pad=valid,dilation=3,w=2,b=0)");
  CHECK(printed("conv(kw=1,kh=2,sw=3,pad=circular)") == "conv(2,1,sh=1,sw=3,pad=circular,dilation=1," + dense + ")");
  CHECK(printed("avgpool(2)") == "avgpool(2,stride=2,pad=valid,edges=window)");
  CHECK(printed("avgpool(2,3)") == "avgpool(2,3,sh=2,sw=3,pad=valid,edges=window)");
  CHECK(printed("avgpool(3,stride=1,pad=same,edges=inside)") == "avgpool(3,stride=1,pad=same,edges=inside)");
  CHECK(printed("sumpool(2,pad=circular)") == "sumpool(2,stride=2,pad=circular)");
  CHECK(printed("layernorm") == "layernorm(eps=1e-12,axes=channel)");
  CHECK(printed("layernorm(0.5,axes=all)") == "layernorm(eps=0.5,axes=all)");
  CHECK(printed("sum(conv(1)|sumpool(1))") ==
        "sum(conv(1,stride=1,pad=same,dilation=1," + dense + ") | sumpool(1,stride=1,pad=valid))");
}

TEST_CASE("specs that differ in one parameter differ in text and hash", "[kernel]") {
  const char* base = "conv(3)-residual(relu-conv(3))-layernorm-relu-avgpool(2)-flatten-dense";
  for (const char* other : {"conv(3,5)-residual(relu-conv(3))-layernorm-relu-avgpool(2)-flatten-dense",
                            "conv(3,sh=2)-residual(relu-conv(3))-layernorm-relu-avgpool(2)-flatten-dense",
                            "conv(3,dilation=2)-residual(relu-conv(3))-layernorm-relu-avgpool(2)-flatten-dense",
                            "conv(3,pad=valid)-residual(relu-conv(3))-layernorm-relu-avgpool(2)-flatten-dense",
                            "conv(3)-residual(relu-conv(3,b=0))-layernorm-relu-avgpool(2)-flatten-dense",
                            "conv(3)-sum(relu-conv(3)|conv(1))-layernorm-relu-avgpool(2)-flatten-dense",
                            "conv(3)-residual(relu-conv(3))-layernorm(axes=all)-relu-avgpool(2)-flatten-dense",
                            "conv(3)-residual(relu-conv(3))-layernorm(eps=1)-relu-avgpool(2)-flatten-dense",
                            "conv(3)-residual(relu-conv(3))-layernorm-relu-sumpool(2)-flatten-dense",
                            "conv(3)-residual(relu-conv(3))-layernorm-relu-avgpool(2,edges=inside)-flatten-dense",
                            "conv(3)-residual(relu-conv(3))-layernorm-relu-avgpool(2)-gap-dense"}) {
    INFO(other);
    CHECK(!(KernelSpec::parse(base) == KernelSpec::parse(other)));
    CHECK(KernelSpec::parse(base).hash() != KernelSpec::parse(other).hash());
  }
}

TEST_CASE("residual is the sum with the identity, wherever the identity stands", "[kernel]") {
  const KernelSpec spec = KernelSpec::parse("conv(3)-residual(relu-conv(3)-relu-conv(3))-gap-dense");
  CHECK(spec == KernelSpec::parse("conv(3)-sum(relu-conv(3)-relu-conv(3) | )-gap-dense"));
  CHECK(spec == KernelSpec::parse("conv(3) - sum( | relu - conv(3)-relu-conv(3))-gap-dense"));
  const KernelSpec three = KernelSpec::parse("conv(3)-sum(|relu-conv(3)|conv(1))-gap-dense");
  CHECK(KernelSpec::parse(three.to_string()) == three);
  const KernelSpec nested = KernelSpec::parse("conv(3)-residual(relu-conv(1)-residual(relu-conv(3)))-gap-dense");
  CHECK(KernelSpec::parse(nested.to_string()) == nested);
}

TEST_CASE("only a chain of pointwise layers has layers, everything else is spatial", "[kernel]") {
  const KernelSpec chain = KernelSpec::parse("dense-relu-dense");
  CHECK(!chain.spatial());
  CHECK(!chain.reads_image());
  CHECK(chain.layers().size() == 3);
  for (const char* image : {"conv(1)-flatten-dense", "flatten-dense", "cnn:2", "gap-dense-relu-dense"}) {
    INFO(image);
    const KernelSpec spec = KernelSpec::parse(image);
    CHECK(spec.spatial());
    CHECK(spec.reads_image());
    CHECK(spec.layers().empty());
  }
  for (const char* norm : {"dense-layernorm(0.5)-relu-dense", "dense-layernorm(0.5,axes=all)-relu-dense"}) {
    const KernelSpec spec = KernelSpec::parse(norm);
    REQUIRE(spec.layers().size() == 4);
    CHECK(spec.layers()[1].params[0] == 0.5);
  }
  const KernelSpec branches = KernelSpec::parse("dense-residual(relu-dense)-relu-dense");
  CHECK(branches.spatial());
  CHECK(!branches.reads_image());
}

TEST_CASE("products and concatenations print and parse back, a concatenation weighs by widths", "[kernel]") {
  for (const char* text : {"conv(3)-product(relu-conv(3) | )-gap-dense", "conv(3)-concat(relu | erf | )-gap-dense",
                           "conv(3)-product(conv(1)|conv(3)|concat(relu|sign)-conv(1))-gap-dense",
                           "conv(3)-concat(conv(1)|product(conv(3)|))-conv(1)-gap-dense",
                           "conv(3,width=5)-concat(conv(1,width=6) | )-conv(1)-gap-dense"}) {
    INFO(text);
    const KernelSpec spec = KernelSpec::parse(text);
    CHECK(KernelSpec::parse(spec.to_string()) == spec);
    CHECK(KernelSpec::parse(spec.to_string()).to_string() == spec.to_string());
  }
  const auto shares = [](const char* text) { return KernelSpec::parse(text).network()[1].shares; };
  CHECK(shares("conv(3)-concat(conv(1) | conv(2) | )-gap-dense") == std::vector<double>{1 / 3.0, 1 / 3.0, 1 / 3.0});
  CHECK(shares("conv(3,width=10)-concat(relu-conv(1,width=30) | )-gap-dense") == std::vector<double>{0.75, 0.25});
  CHECK(shares("conv(3,width=4)-concat(conv(1,width=2)-relu | sum( | conv(3,width=4)))-gap-dense") ==
        std::vector<double>{2 / 6.0, 4 / 6.0});
}

TEST_CASE("the standard parameterisation takes fan-ins from the layers before", "[kernel]") {
  const auto fan_in = [](const char* text) { return KernelSpec::parse(text).network().back().layer.params[2]; };
  CHECK(fan_in("dense(width=30)-relu-dense(param=standard)") == 30);
  CHECK(fan_in("dense(param=standard,in=7,width=512)-relu-scale(2)-dense(param=standard)") == 512);
  CHECK(fan_in("conv(3,width=9)-relu-gap-dense(param=standard)") == 9);
  CHECK(fan_in("conv(3,width=9)-relu-flatten-dense(param=standard,in=144)") == 144);
  CHECK(fan_in("conv(3,width=9)-concat(relu | conv(1,width=2))-gap-dense(param=standard)") == 11);
  CHECK(fan_in("conv(3,width=9)-residual(relu-conv(3,width=9))-gap-dense(param=standard)") == 9);
  const KernelSpec spec = KernelSpec::parse("conv(3,param=standard,in=3,width=9)-relu-gap-dense(param=standard)");
  CHECK(spec.to_string() ==
        "conv(3,stride=1,pad=same,dilation=1,w=1.4142135623730951,b=0.1,in=3,param=standard,width=9)-relu-gap-"
        "dense(w=1.4142135623730951,b=0.1,in=9,param=standard)");
  CHECK(KernelSpec::parse(spec.to_string()) == spec);
  CHECK(!(KernelSpec::parse("dense(param=standard,in=3)") == KernelSpec::parse("dense(param=standard,in=4)")));
}

TEST_CASE("presets stand for the layers they document, with common weights", "[kernel]") {
  const auto same = [](const char* preset, const std::string& layers) {
    INFO(preset);
    CHECK(KernelSpec::parse(preset).to_string() == KernelSpec::parse(layers).to_string());
  };
  same("cnn:2", "conv(3)-relu-conv(3)-relu-flatten-dense");
  same("cnn:1(pool=gap)", "conv(3)-relu-gap-dense");
  same("cnn:1(2,0.5,pool=gap)", "conv(3,w=2,b=0.5)-relu-gap-dense(w=2,b=0.5)");
  same("lenet", "conv(5)-relu-avgpool(2)-conv(5,pad=valid)-relu-avgpool(2)-flatten-dense-relu-dense-relu-dense");
  same("myrtle:5",
       "conv(3,b=0)-relu-conv(3,b=0)-relu-avgpool(2)-conv(3,b=0)-relu-avgpool(2)-conv(3,b=0)-relu-gap-dense(b=0)");
  same("resnet:10(b=0)",
       "conv(3,b=0)-sum(relu-conv(3,b=0)-relu-conv(3,b=0) | conv(3,b=0))-"
       "sum(relu-conv(3,b=0,stride=2)-relu-conv(3,b=0) | conv(3,b=0,stride=2))-"
       "sum(relu-conv(3,b=0,stride=2)-relu-conv(3,b=0) | conv(3,b=0,stride=2))-gap-dense(b=0)");
  CHECK(!(KernelSpec::parse("myrtle:7") == KernelSpec::parse("myrtle:10")));
  const auto count = [](const char* preset, const std::string& layer) {
    const std::string all = KernelSpec::parse(preset).to_string();
    int n = 0;
    for (std::size_t at = 0; (at = all.find(layer, at)) != std::string::npos; ++at) ++n;
    return n;
  };
  CHECK(count("myrtle:7", "conv(") == 6);
  CHECK(count("myrtle:10", "conv(") == 9);
  CHECK(count("resnet:16", "residual(") == 3);
  CHECK(count("resnet:28", "conv(") == 1 + 2 * 12 + 3);  // the first, two per block, three shortcuts
  CHECK(KernelSpec::parse("myrtle:5(b=0.1)").to_string().find("b=0)") == std::string::npos);
}

TEST_CASE("the help lists every preset, layer and parameter that parses", "[kernel]") {
  std::string all;
  for (const std::string& line : kernel_spec_help()) all += line + "\n";
  for (const char* item : {"fc:L", "cnn:L", "lenet", "myrtle:5|7|10", "resnet:N", "dense(w=", "relu", "conv(",
                           "avgpool(", "sumpool(", "gap ", "flatten ", "layernorm(", "residual(", "sum("})
    CHECK_THAT(all, Catch::Matchers::Contains(item));
}

TEST_CASE("the page of kernels has every layer and every parameter with its default", "[kernel]") {
  std::ifstream file(NTKROB_KERNELS_PAGE);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  REQUIRE(!page.empty());
  for (int kind = 0; kind < layers::kKinds; ++kind) {
    const layers::Info& info = layers::info(kind);
    std::string entry = kind == layers::k_standard ? "`dense(param=standard,in=" : text("`", info.name);
    // w of dense is sqrt(2), shortened there.
    const bool listed = kind != layers::k_standard && kind != layers::k_dense && info.n_parameters > 0;
    for (int k = 0; listed && k < info.n_parameters; ++k)
      entry += text(k == 0 ? "(" : ",", info.parameters[k].name, "=", format_number(info.parameters[k].fallback));
    CHECK_THAT(page, Catch::Matchers::Contains(entry));
  }
  const std::string error = error_of("nothing"), known = error.substr(error.find("known: ") + 7);
  for (const std::string& name : names_in(known.substr(0, known.find(", and the presets"))))
    CHECK_THAT(page, Catch::Matchers::Contains("`" + name + "`") || Catch::Matchers::Contains("`" + name + "("));
  std::string help;
  for (const std::string& line : kernel_spec_help()) help += line + "\n";
  for (const std::string& name : names_in(known.substr(0, known.find(", and the presets"))))
    CHECK_THAT(help, Catch::Matchers::Contains(name));
}

TEST_CASE("errors in a spec name the position and what was expected", "[kernel]") {
  using Catch::Matchers::Contains;
  CHECK_THAT(error_of("dense-rleu-dense"), Contains("rleu") && Contains("7") && Contains("known: abrelu, abs, "));
  CHECK_THAT(error_of("relu-dense"), Contains("must follow a dense layer"));
  CHECK_THAT(error_of("dense-layernorm-relu-layernorm-relu-dense"), Contains("relu must follow a dense layer"));
  CHECK_THAT(error_of("layernorm-relu-dense"), Contains("relu must follow a dense layer"));
  CHECK(error_of("dense-layernorm-relu-layernorm-dense") == "no error");
  CHECK_THAT(error_of("dense-relu"), Contains("readout"));
  CHECK_THAT(error_of("fc:x"), Contains("fc:3"));
  CHECK_THAT(error_of("fc:3-dense"), Contains("whole network"));
  CHECK_THAT(error_of("dense(sigma=1)"), Contains("sigma") && Contains("w, b"));
  CHECK_THAT(error_of("dense(w=0)"), Contains("must be in"));
  CHECK_THAT(error_of("dense(b=-1)"), Contains("must be in"));
  CHECK_THAT(error_of("dense-monomial(2.5)-dense"), Contains("whole number"));
  CHECK_THAT(error_of("dense(w=nan)"), Contains("nan"));
  CHECK(error_of("") != "no error");
}

TEST_CASE("a layer that is wrongly written is refused at its argument", "[kernel]") {
  const auto refused = [](const std::string& spec, const std::string& what, const std::string& at) {
    const std::string error = error_of(spec);
    CHECK_THAT(error, Catch::Matchers::StartsWith(what));
    CHECK_THAT(error, Catch::Matchers::EndsWith(text(" at position ", spec.find(at) + 1, " in \"", spec, "\"")));
  };
  refused("conv-gap-dense", "conv needs its window: conv(3)", "conv");
  refused("conv(3,pad=full)-gap-dense", "conv pad is \"full\", must be one of same, valid, circular", "full");
  refused("conv(0)-gap-dense", "conv kh is \"0\", must be a whole number in [1, 4096]", "0");
  refused("conv(3,3,3)-gap-dense", "conv has no parameter \"3\"; it has kh, kw, stride", "3)");
  refused("conv(3,kh=5)-gap-dense", "conv kh is given twice", "5");
  refused("conv(3,stride=2,sw=1)-gap-dense", "conv has both stride and sw", "1)");
  refused("conv(3,w=0)-gap-dense", "conv w is 0, must be in", "0");
  refused("conv:3-gap-dense", "conv takes no \":3\"", "conv");
  refused("avgpool(2,dilation=2)-gap-dense", "avgpool has no parameter \"dilation\"", "2)");
  refused("sumpool(2,edges=inside)-gap-dense", "sumpool has no parameter \"edges\"", "inside");
  refused("gap(2)-dense", "gap has no parameter \"2\"; it has none", "2");
  refused("layernorm(axes=w)-dense", "layernorm axes is \"w\", must be one of channel, all", "w)");
  refused("layernorm(eps=-1)-dense", "layernorm eps is -1, must be in", "-1");
  refused("conv(3)-residual(relu-conf(3))-gap-dense", "unknown layer \"conf\"; known: ", "conf");
  refused("conv(3)-residual(relu-conv(3,q=17))-gap-dense", "conv has no parameter \"q\"", "17");
  refused("conv(3)-residual(relu-sum(conv(3,w=0) | conv(1)))-gap-dense", "conv w is 0", "0");
  refused("conv(3)-residual(conv(3)|)-gap-dense", "residual takes one branch", "residual");
  refused("conv(3)-residual-gap-dense", "residual takes one branch", "residual");
  refused("conv(3)-sum(conv(3))-gap-dense", "sum takes two branches or more", "sum");
  refused("conv(3)-sum(conv(3),conv(3))-gap-dense", "sum takes two branches or more", "sum");
  refused("conv(3)-residual(cnn:2)-gap-dense", "cnn is a whole network, it cannot be joined with layers", "cnn");
  refused("myrtle:6", "myrtle: number of layers is 6; write myrtle:5, myrtle:7 or myrtle:10", "myrtle");
  refused("resnet:12", "resnet: number of layers, N = 6n + 4 is 12; write resnet:10", "resnet");
  refused("lenet:5", "lenet takes no \":5\"", "lenet");
  refused("cnn", "cnn: number of convolutions is \"\", must be a whole number in [1, 200]; write cnn:3", "cnn");
  refused("fc:3(pool=gap)", "fc has no parameter \"pool\"; it has w, b", "gap");
  refused("cnn:3(pool=max)", "cnn pool is \"max\", must be one of flatten, gap", "max");
}

TEST_CASE("a layer in the wrong place is refused there", "[kernel]") {
  const auto refused = [](const std::string& spec, const std::string& what, const std::string& at) {
    const std::string error = error_of(spec);
    CHECK_THAT(error, Catch::Matchers::StartsWith(what));
    CHECK_THAT(error, Catch::Matchers::EndsWith(text(" at position ", spec.find(at) + 1, " in \"", spec, "\"")));
  };
  refused("conv(3)-relu-dense", "dense needs one position: put flatten or gap before it", "dense");
  refused("dense-relu-conv(3)-gap-dense", "dense needs one position", "dense");
  refused("conv(3)-gap-conv(1)-dense", "conv needs positions, and gap before it left only one", "conv(1)");
  refused("conv(3)-flatten-avgpool(2)-dense", "avgpool needs positions, and flatten", "avgpool");
  refused("conv(3)-gap-flatten-dense", "flatten needs positions, and gap", "flatten");
  refused("conv(3)-relu-gap", "gap cannot be the last layer: a readout dense must follow", "gap");
  refused("conv(3)-relu", "relu cannot be the last layer: flatten or gap and a readout dense must follow", "relu");
  const std::string standard = "dense(param=standard,width=5)-relu-dense";
  refused(standard, "dense with param=standard needs its number of inputs: in=N here, or width=N in the layer before",
          "dense");
  refused("dense(param=standard,in=5)-relu-dense(b=0,param=standard)", "dense with param=standard needs", "dense(b=0");
  refused("conv(3,width=3)-flatten-dense(param=standard)", "dense with param=standard needs", "dense");
  refused("dense(width=5)-relu-dense(param=standard,in=6)", "dense: in=6, but the layer before has width=5", "dense(p");
  refused("dense(in=5)-relu-dense", "in=N belongs to param=standard", "5");
  refused("dense(param=mean)-relu-dense", "dense param is \"mean\", must be one of ntk, standard", "mean");
  refused("conv(3)-concat(conv(1,width=3) | conv(1))-gap-dense",
          "the branches of concat need width=N in the last conv or dense of all of them, or of none", "concat");
  refused("conv(3)-sum(conv(1,width=3) | conv(1,width=4))-gap-dense", "the branches of sum differ: width=3 and width=4",
          "sum");
  refused("conv(3)-product(relu | )-gap-dense", "the branches of product are not independent", "product");
  refused("dense-dropout(0.5)-relu-dense", "relu must follow", "relu");
  refused("dense-relu-dropout(0)-dense", "dropout rate is 0, must be in [0.001, 1]", "0)");
  refused("conv(3)-product(conv(3) | )-relu-gap-dense", "relu must follow", "relu");
  refused("conv(3)-concat(conv(3) | )-relu-gap-dense", "relu must follow", "relu");
  refused("conv(3)-concat(conv(3))-gap-dense", "concat takes two branches or more", "concat");
  refused("conv(3)-product(gap-dense | conv(3))-gap-dense", "the branches of product differ: one ends in gap",
          "product");
  refused("gap-dense-residual(relu-dense)", "residual cannot be the last layer: a readout dense", "residual");
  refused("relu-gap-dense", "relu must follow a dense layer or a conv", "relu");
  refused("conv(3)-relu-avgpool(2)-relu-gap-dense", "relu must follow", "relu-gap");
  refused("conv(3)-flatten-relu-dense", "relu must follow", "relu");
  refused("conv(3)-relu-residual(conv(3))-relu-gap-dense", "relu must follow", "relu-gap");
  refused("conv(3)-sum(relu | )-gap-dense", "the branches of residual are not independent", "sum");
  refused("conv(3)-sum(relu-conv(3) | relu | )-gap-dense", "the branches of sum are not independent", "sum");
  refused("conv(3)-residual(relu-conv(3)-residual(avgpool(1)))-gap-dense", "the branches of residual", "residual(avg");
  refused("conv(3)-sum(gap-dense | conv(3))-gap-dense", "the branches of sum differ: one ends in gap", "sum");

  for (const char* good :
       {"conv(3)-avgpool(2)-relu-gap-dense", "conv(3)-gap-relu-dense", "conv(3)-layernorm-relu-gap-dense",
        "conv(3)-residual(relu-conv(3))-relu-flatten-dense", "conv(3)-relu-residual(conv(3))-gap-dense",
        "conv(3)-sum(gap-dense | flatten-dense)-relu-dense", "flatten-dense-relu-dense",
        "conv(3)-residual(relu-conv(3)-residual(relu-conv(3)))-relu-gap-dense"}) {
    INFO(good);
    CHECK(error_of(good) == "no error");
  }
}
