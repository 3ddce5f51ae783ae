/// Folders of pictures as unpacked archives have them.
#include <filesystem>

#include "samples.hpp"

using namespace ntkrob::situations;
using ntkrob::cli_test::write_file;

namespace {

namespace fs = std::filesystem;
const Array kThree = blocks(24, 0, 3);
const std::string kJpeg = "\xff\xd8\xff\xe0 only the beginning of a JPEG file";

Content with_test() {
  Content content = pictures(kThree);
  content.test.x = pattern({6, 8, 8}, "|u1", 255, 0);
  content.test.y = blocks(6, 0, 3);
  return content;
}

Situation whole(const Content& content) {
  Situation row = picture_situation(content, as_labels(kThree), 3);
  if (!content.test.x.absent()) row.gives_test(unit(content.test.x), as_labels(content.test.y));
  return row;
}

/// The content as folders, then changed. `change` gets the root folder.
Situation::Maker changed(const Content& content, const std::function<void(const fs::path&)>& change) {
  return [=](const std::string& folder) {
    const Input input = write(content, png, folder);
    change(input.paths[0]);
    return input;
  };
}

void put(const fs::path& path, const std::string& content) {
  fs::create_directories(path.parent_path());
  write_file(path.string(), content);
}

std::string picture_of(long height, long width, long channels, unsigned char alpha = 255) {
  std::vector<unsigned char> pixels;
  for (long i = 0; i < height * width * channels; ++i)
    pixels.push_back(channels % 2 == 0 && i % channels == channels - 1 ? alpha : static_cast<unsigned char>(i * 7));
  return png_file(pixels, height, width, channels);
}

}  // namespace

TEST_CASE("hidden files and folders are no pictures", "[situations]") {
  const Content content = pictures(kThree);
  Situation row = whole(content);
  row.read("hidden folder of a class", changed(content, [](const fs::path& root) {
             put(root / ".ipynb_checkpoints" / "a.png", picture_of(8, 8, 1));
           }));
  row.read("hidden folder inside a class", changed(content, [](const fs::path& root) {
             put(root / "0" / ".ipynb_checkpoints" / "a.png", picture_of(8, 8, 1));
           }));
  row.read("AppleDouble", changed(content, [](const fs::path& root) {
             put(root / "1" / "._00001.png", std::string("\0\5\26\7\0\2\0\0", 8) + "Mac OS X        ");
           }));
  row.read("thumbnails", changed(content, [](const fs::path& root) {
             put(root / ".DS_Store", "x");
             put(root / "0" / "Thumbs.db", "x");
             put(root / "README.txt", "x");
           }));
  row.check();
}

TEST_CASE("a folder of the archiver is no class", "[situations]") {
  const auto archiver = [](const fs::path& root) {
    put(root / "__MACOSX" / "1" / "._00001.png", std::string("\0\5\26\7", 4));
  };
  Situation row = whole(pictures(kThree));
  row.read("beside classes", changed(pictures(kThree), archiver));
  row.check();
  Situation splits = whole(with_test());
  splits.read("beside train and test", changed(with_test(), archiver));
  splits.check();
}

TEST_CASE("pictures of another kind are named with their number", "[situations]") {
  const Content content = pictures(kThree);
  Situation row = whole(content);
  row.said("JPEG beside PNG",
           changed(content,
                   [](const fs::path& root) {
                     for (const char* name : {"a.jpg", "b.JPG", "c.jpeg"}) put(root / "2" / name, kJpeg);
                   }),
           {"3", "no PNG"});
  row.check();
}

TEST_CASE("a class that came as JPEG alone is not dropped in silence", "[situations]") {
  const Content content = pictures(kThree);
  Situation row;
  row.gives(unit(content.train.x), as_labels(kThree), 4, kPicture).any_names();
  row.either("a fourth class",
             changed(content,
                     [](const fs::path& root) {
                       for (const char* name : {"a.jpg", "b.jpg"}) put(root / "3" / name, kJpeg);
                     }),
             {"3", "no PNG"});
  row.check();
}

TEST_CASE("folders of splits are recognised in every spelling, and what is left out is said", "[situations]") {
  const Content content = with_test();
  const auto renamed = [&](const std::string& train, const std::string& test) {
    return changed(content, [=](const fs::path& root) {
      fs::rename(root / "train", root / train);
      fs::rename(root / "test", root / test);
    });
  };
  Situation row = whole(content);
  row.read("training, testing", renamed("training", "testing"));
  row.read("Train, Test", renamed("Train", "Test"));
  row.read("TRAIN, TEST", renamed("TRAIN", "TEST"));
  row.said("train, val, test",
           changed(content,
                   [](const fs::path& root) { fs::copy(root / "test", root / "val", fs::copy_options::recursive); }),
           {"val", "6"});
  row.read("train, test and documents",
           changed(content, [](const fs::path& root) { put(root / "docs" / "a.txt", "x"); }));
  row.check();
}

TEST_CASE("which file goes into which split is printed", "[situations]") {
  const Content content = with_test();
  Situation row = whole(content);
  row.said("two folders",
           [&](const std::string& folder) {
             const Input input = write(content, png, folder);
             return Input{{input.paths[0] + "/train", input.paths[0] + "/test"}, {}};
           },
           {"test"});
  row.check();
}

TEST_CASE("classes one level deeper are found, or the folder is named", "[situations]") {
  const Content content = pictures(kThree);
  Situation row = whole(content);
  row.either("images/<class>",
             [&](const std::string& folder) {
               const Input input = write(content, png, folder + "/");
               fs::create_directories(folder + "/set");
               fs::rename(input.paths[0], folder + "/set/images");
               return Input{{folder + "/set"}, {}};
             },
             {"images"});
  row.check();
}

TEST_CASE("an empty class folder is said and makes no class, or one that is said", "[situations]") {
  const Content content = pictures(kThree);
  Situation row = whole(content);
  row.said("unsure", changed(content, [](const fs::path& root) { fs::create_directories(root / "unsure"); }),
           {"unsure"});
  row.check();
}

TEST_CASE("pictures beside the folders of classes are named with their number", "[situations]") {
  const Content content = pictures(kThree);
  Situation row = whole(content);
  row.said("two strays",
           changed(content,
                   [](const fs::path& root) {
                     for (const char* name : {"stray.png", "cover.jpg"}) put(root / name, picture_of(8, 8, 1));
                   }),
           {"2 pictures", "stray.png", "cover.jpg"});
  row.check();
}

TEST_CASE("suffixes in upper case are pictures", "[situations]") {
  const Content content = pictures(kThree);
  Situation row = whole(content);
  row.read("PNG in capitals", changed(content, [](const fs::path& root) {
             for (const auto& folder : fs::directory_iterator(root))
               for (const auto& file : fs::directory_iterator(folder)) {
                 fs::path to = file.path();
                 fs::rename(file.path(), to.replace_extension(".PNG"));
               }
           }));
  row.check();
}

TEST_CASE("class folders 0 to 10 are numbered as numbers", "[situations]") {
  const Array y = blocks(33, 0, 11);
  picture_situation(pictures(y), as_labels(y), 11).read({png}).check();
}

TEST_CASE("a flat folder of pictures is refused with what is expected", "[situations]") {
  Situation row;
  row.refused("flat",
              [](const std::string& folder) {
                for (const char* name : {"0_cat.png", "1_dog.png"})
                  put(fs::path(folder) / "flat" / name, picture_of(8, 8, 1));
                return Input{{folder + "/flat"}, {}};
              },
              {"flat", "class"});
  row.check();
}

TEST_CASE("test pictures without classes do not block training, and are named", "[situations]") {
  Content content = with_test();
  Situation row = picture_situation(content, as_labels(kThree), 3);
  row.said("flat test folder",
           changed(content,
                   [](const fs::path& root) {
                     fs::remove_all(root / "test");
                     for (const char* name : {"a.png", "b.png"}) put(root / "test" / name, picture_of(8, 8, 1));
                   }),
           {"test", "2"});
  row.check();
}

TEST_CASE("a test split that lacks a class keeps the class numbers", "[situations]") {
  Content content = with_test();
  content.test.y = numbers({1, 1, 1, 2, 2, 2});
  Situation row = whole(content);
  row.read({png}).check();
}

TEST_CASE("links to class folders are followed or named", "[situations]") {
  const Content content = pictures(kThree);
  Situation row = whole(content);
  row.read("a linked class", changed(content, [](const fs::path& root) {
             fs::rename(root / "0", root.parent_path() / "elsewhere");
             fs::create_directory_symlink(root.parent_path() / "elsewhere", root / "0");
           }));
  row.check();
  Situation dangling;
  dangling.gives(unit(content.train.x), as_labels(kThree), 3, kPicture);
  dangling.either(
      "a dangling class",
      changed(content, [](const fs::path& root) { fs::create_directory_symlink(root / "gone", root / "7"); }), {"7"});
  dangling.check();
}

TEST_CASE("opaque alpha is opaque", "[situations]") {
  for (const long channels : {1L, 3L}) {
    INFO("channels " << channels);
    const Array images = pattern({24, 8, 8, channels});
    Content content = pictures(kThree);
    content.train.x = images;
    content.train.x.shape = {24, 8, 8, channels + 1};
    content.train.x.numbers.clear();
    for (std::size_t i = 0; i < images.numbers.size(); ++i) {
      content.train.x.numbers.push_back(images.numbers[i]);
      if (static_cast<long>(i) % channels == channels - 1) content.train.x.numbers.push_back(255);
    }
    Situation row(content);
    row.gives(unit(images), as_labels(kThree), 3, {8, 8, channels}).read({png}).check();
  }
}

TEST_CASE("alpha that is not opaque is refused with the picture", "[situations]") {
  const Content content = pictures(kThree);
  Situation row;
  row.refused("half transparent",
              changed(content, [](const fs::path& root) { put(root / "1" / "glass.png", picture_of(8, 8, 2, 128)); }),
              {"glass.png"});
  row.check();
}

TEST_CASE("grey pictures among colour are widened, and it is said with their number", "[situations]") {
  Array images = pattern({24, 8, 8, 3});
  for (std::size_t i = 0; i < 192; ++i) images.numbers[i] = images.numbers[i / 3 * 3];  // the first is grey
  Content content = pictures(kThree);
  content.train.x = images;
  Situation row(content);
  row.gives(unit(images), as_labels(kThree), 3, {8, 8, 3});
  row.said("one grey picture",
           changed(content,
                   [=](const fs::path& root) {
                     std::vector<unsigned char> grey;
                     for (std::size_t i = 0; i < 64; ++i)
                       grey.push_back(static_cast<unsigned char>(images.numbers[i * 3]));
                     write_file((root / "0" / "00000.png").string(), png_file(grey, 8, 8, 1));
                   }),
           {"1", "grey"});
  row.check();
}

TEST_CASE("pictures of different sizes are refused with both", "[situations]") {
  const Content content = pictures(kThree);
  Situation row;
  row.refused("one is larger",
              changed(content, [](const fs::path& root) { put(root / "2" / "large.png", picture_of(8, 9, 1)); }),
              {"large.png", "8 x 9"});
  row.check();
}

TEST_CASE("a file that is no PNG is refused by name", "[situations]") {
  const Content content = pictures(kThree);
  Situation row;
  row.refused("a renamed JPEG", changed(content, [](const fs::path& root) { put(root / "2" / "photo.png", kJpeg); }),
              {"photo.png"});
  row.check();
}
