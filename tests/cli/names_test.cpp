/// Names of classes across files that were read apart.
#include "run.hpp"

using namespace ntkrob::cli_test;

TEST_CASE("classes that two files number differently are matched by their names", "[cli]") {
  const Folder folder;
  std::string train = "label,a,b\n", test = "label,a,b\n", other = "label,a,b\n";
  for (int i = 0; i < 30; ++i) {
    const char* names[] = {"ant", "bee", "cat"};
    const double a[] = {0.1, 0.5, 0.9}, b[] = {0.9, 0.1, 0.5};
    const auto row = [&](int c) {
      return std::string(names[c]) + "," + std::to_string(a[c]) + "," + std::to_string(b[c]) + "\n";
    };
    train += row(i % 3);
    test += row(i % 2 == 0 ? 0 : 2);  // has no bee: by itself it numbers ant 0 and cat 1
    other += i % 2 == 0 ? row(2) : "elk,0.5,0.5\n";
  }
  write_file(folder / "train.csv", train);
  write_file(folder / "test.csv", test);
  write_file(folder / "other.csv", other);

  const Finished trained = run({"train", folder / "train.csv", "--model", "mlp:16", "--steps", "400", "--batch", "30",
                                "--test", folder / "test.csv", "-o", folder / "net.h5"});
  INFO(trained.err);
  CHECK(trained.code == 0);
  CHECK(contains(trained.out, "test      accuracy 100.0 %"));
  CHECK(contains(trained.err, "classes are numbered by their names as in"));
  const Finished judged =
      run({"evaluate", folder / "net.h5", "--data", folder / "test.csv", "--split", "train", "--attacks", "clean"});
  INFO(judged.err);
  CHECK(contains(judged.out, "100.0 %"));
  CHECK(contains(judged.err, "classes are numbered by their names as in"));
  const std::string predicted = run_ok({"predict", "--support", folder / "train.csv", "--data", folder / "test.csv",
                                        "--split", "train", "--kernel", "fc:1"});
  CHECK(contains(predicted, "accuracy  100.0 %"));
  CHECK_FAILS(
      run({"evaluate", folder / "net.h5", "--data", folder / "other.csv", "--split", "train", "--attacks", "clean"}), 2,
      "class elk is not among the classes of", "--label-map");
  CHECK_FAILS(run({"evaluate", folder / "net.h5", "--data", folder / "test.csv", "--attacks", "clean"}), 2,
              "--split train");
}
