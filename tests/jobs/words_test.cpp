#include "jobs/json_list.hpp"
#include "kit/check.hpp"
#include "ntkrob/jobs/context.hpp"

using namespace ntkrob;
using namespace ntkrob::jobs;

TEST_CASE("numbers in words", "[jobs]") {
  CHECK(bytes_text(17) == "17 bytes");
  CHECK(bytes_text(1536) == "1.5 KiB");
  CHECK(bytes_text(120 * 1024.0) == "120 KiB");
  CHECK(percent_text(0.413) == "41.3 %");
  CHECK(duration_text(8.2) == "8 s");
  CHECK(duration_text(200) == "3 min 20 s");
  CHECK(duration_text(7500) == "2 h 5 min");
  CHECK(file_name("a/b.h5") == "b.h5");
}

TEST_CASE("lists for metadata are JSON in ASCII whatever the names hold", "[jobs]") {
  CHECK(json_list(std::vector<std::string>{}) == "[]");
  CHECK(json_list(std::vector<std::string>{"cat", "a\"b\\c", "x\ny"}) == R"(["cat","a\"b\\c","x\u000ay"])");
  CHECK(json_list(std::vector<std::string>{"d\xc3\xb6g", "\xf0\x9f\x90\xb6", "\xff\xc3"}) ==
        R"(["d\u00f6g","\ud83d\udc36","\ufffd\ufffd"])");
  CHECK(json_list(std::vector<float>{0, 1.5f, -0.1f}) == "[0.0,1.5,-0.1]");
}

TEST_CASE("a listener hears options by their names, or as it spells them", "[jobs]") {
  struct Ear : Listener {
    std::string heard;
    void on_note(const std::string& line) override { heard += line + "|"; }
    void on_warning(const std::string& line) override { heard += "!" + line + "|"; }
  } ear;
  ear.note(text("give ", field("balanced", "true")));
  ear.spelling = [](const std::string& name, const std::string&) { return "--" + name; };
  ear.warn(text("give ", field("balanced", "true")));
  CHECK(ear.heard == "give balanced=true|!give --balanced|");
}
