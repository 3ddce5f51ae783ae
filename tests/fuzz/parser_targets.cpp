/// The texts that users type: specs of kernels, nets, attacks and schedules, and the options of readers.
#include <sstream>

#include "nn/stack.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/optim/optimizer.hpp"
#include "read_options.hpp"
#include "target.hpp"
#include "text_table.hpp"

namespace ntkrob::fuzz {
namespace {

void require(bool holds, const char* claim) {
  if (!holds) throw std::logic_error(claim);
}

Target parser(const std::string& name, const std::vector<std::string>& seeds,
              std::function<void(const std::string&)> run) {
  return {name, true, [seeds] { return seeds; }, std::move(run)};
}

/// Every line is one field, in the order of the command line.
void options_of(const std::string& bytes) {
  std::istringstream lines(bytes);
  ReadOptions options;
  for (std::string* field :
       {&options.image_shape, &options.layout, &options.value_range, &options.label_map, &options.drop})
    std::getline(lines, *field);
  io::check(options);
  io::parse_names(options.drop, "drop");
}

void fields_of(const std::string& bytes) {
  std::istringstream lines(bytes);
  std::vector<std::string_view> fields;
  std::string line, scratch;
  while (std::getline(lines, line))
    for (const char separator : {',', ';', '\t', ' '}) {
      io::split_fields(line, separator, fields, scratch);
      for (const std::string_view field : fields) {
        double value = 0;
        io::parse_field(field, value);
        require(field.data() >= line.data() && field.data() + field.size() <= line.data() + line.size(),
                "a field lies in its line");
      }
    }
}

}  // namespace

std::vector<Target> parser_targets() {
  return {
      parser("kernel_spec",
             {"fc:3", "fc:2,bias=0.1", "dense-relu-dense", "conv(3)-relu-gap-dense",
              "flatten-dense(bias=0.1)-erf-dense", "sum(relu|erf)-dense"},
             [](const std::string& bytes) {
               const KernelSpec spec = KernelSpec::parse(bytes);
               require(KernelSpec::parse(spec.to_string()) == spec, "a kernel is read back as it was written");
             }),
      parser("net_spec",
             {"mlp:256,128", "mlp:", "cnn:small",
              "conv(16,4,stride=2,pad=1)-relu-maxpool(2)-flatten-dense(128)-relu-dense"},
             [](const std::string& bytes) {
               nn::compile<float>(bytes, {16, 16, 3}, 10);
               nn::compile<double>(bytes, {1, 1, 7}, 2);
             }),
      parser("attack_list",
             {"clean,pgd-40(loss=margin,restarts=5),fgsm", "apgd,fab,square,cw,deepfool,autoattack,noise",
              "pgd(step=0.1,start=x)"},
             [](const std::string& bytes) {
               for (const std::string& one : split_list(bytes, "attacks")) make_attack(one);
             }),
      parser("schedule", {"constant", "one-cycle(warmup=0.05)", "step(every=0.3333,factor=0.1)", "cosine"},
             [](const std::string& bytes) {
               const Schedule schedule = Schedule::parse(bytes);
               for (index t = 0; t < 10; ++t) require(schedule.factor(t, 10) >= 0, "a factor is a number from 0 on");
             }),
      parser("loss", {"ce", "mse", "margin"}, [](const std::string& bytes) { make_loss(bytes); }),
      parser("number", {"8/255", "0.1", "1e-3", "2G"},
             [](const std::string& bytes) { parse_number(bytes, "a number"); }),
      parser("read_options", {"28x28x1\nNHWC\n0:16\n10:0,11:1\nid,name\n", "128x1x9\nNTC\ncolumns\n\n\n"}, options_of),
      parser("fields", {"a,\"b, c\",'d'\n", "1;2;3\n\"a\"\"b\"\t4\n", "0 1 2\n"}, fields_of),
  };
}

}  // namespace ntkrob::fuzz
