#include "run.hpp"

#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace ntkrob::cli_test {

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "ntkrob-cli-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

Folder::~Folder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

Process::Process(const std::vector<std::string>& arguments, const char* program) {
  std::vector<char*> argv{const_cast<char*>(program)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string out = folder_ / "out", err = folder_ / "err";
  pid_ = fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    const int out_file = open(out.c_str(), O_WRONLY | O_CREAT, 0600);
    const int err_file = open(err.c_str(), O_WRONLY | O_CREAT, 0600);
    dup2(out_file, STDOUT_FILENO);
    dup2(err_file, STDERR_FILENO);
    execv(program, argv.data());
    _exit(127);
  }
}

Process::~Process() {
  if (reaped_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, &status_, 0);
}

void Process::signal(int number) const { REQUIRE(kill(pid_, number) == 0); }

bool Process::running() {
  if (!reaped_) reaped_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return !reaped_;
}

std::string Process::said() {
  std::ifstream file(folder_ / "err", std::ios::binary);  // absent until the process has begun
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

Finished Process::wait() {
  if (!reaped_) REQUIRE(waitpid(pid_, &status_, 0) == pid_);
  reaped_ = true;
  Finished finished;
  finished.code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  // Who was killed before it began has left none.
  if (std::filesystem::exists(folder_ / "out")) finished.out = read_file(folder_ / "out");
  if (std::filesystem::exists(folder_ / "err")) finished.err = read_file(folder_ / "err");
  return finished;
}

Finished run_shell(const std::string& script) {
  const Environment binary("NTKROB", NTKROB_BINARY);
  return Process({"-c", script}, "/bin/sh").wait();
}

Finished run(const std::vector<std::string>& arguments) { return Process(arguments).wait(); }

Finished run_at_terminal(const std::vector<std::string>& arguments, int columns) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(grantpt(terminal) == 0);
  REQUIRE(unlockpt(terminal) == 0);
  const std::string name = ptsname(terminal);
  const int inner = open(name.c_str(), O_RDWR | O_NOCTTY);
  REQUIRE(inner >= 0);
  winsize size{};
  size.ws_row = 24;
  size.ws_col = static_cast<unsigned short>(columns);
  REQUIRE(ioctl(inner, TIOCSWINSZ, &size) == 0);
  std::vector<char*> argv{const_cast<char*>(NTKROB_BINARY)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    setsid();
    dup2(inner, STDOUT_FILENO);
    dup2(inner, STDERR_FILENO);
    close(inner);
    close(terminal);
    execv(NTKROB_BINARY, argv.data());
    _exit(127);
  }
  close(inner);
  Finished finished;
  char part[4096];
  for (ssize_t got; (got = read(terminal, part, sizeof part)) > 0;)  // fails with EIO when the process has ended
    finished.out.append(part, static_cast<std::size_t>(got));
  close(terminal);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  finished.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
}

std::vector<std::string> screen_of(const std::string& output, int columns) {
  const std::string clear = "\033[K";
  std::vector<std::string> rows(1);
  std::size_t row = 0, column = 0;
  const auto next_row = [&] {
    if (++row == rows.size()) rows.emplace_back();
  };
  for (std::size_t at = 0; at < output.size(); ++at) {
    const char c = output[at];
    if (c == '\r') {
      column = 0;
    } else if (c == '\n') {
      next_row();
    } else if (output.compare(at, clear.size(), clear) == 0) {
      rows[row].resize(std::min(rows[row].size(), column));
      at += clear.size() - 1;
    } else {
      REQUIRE(static_cast<unsigned char>(c) >= 0x20);
      if (column == static_cast<std::size_t>(columns)) {
        next_row();
        column = 0;
      }
      rows[row].resize(std::max(rows[row].size(), column + 1), ' ');
      rows[row][column++] = c;
    }
  }
  return rows;
}

std::string run_ok(const std::vector<std::string>& arguments) {
  const Finished finished = run(arguments);
  INFO("stdout: " << finished.out << "\nstderr: " << finished.err);
  REQUIRE(finished.code == 0);
  return finished.out;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  INFO("file " << path);
  REQUIRE(file.good());
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  REQUIRE(file.good());
}

nlohmann::json read_json(const std::string& path) { return nlohmann::json::parse(read_file(path)); }

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void set_h5_text(const std::string& path, const std::string& name, const std::string& value) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  REQUIRE(file >= 0);
  REQUIRE(H5Adelete(file, name.c_str()) >= 0);
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, value.size());
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  H5Tset_cset(type, H5T_CSET_UTF8);
  const hid_t attribute = H5Acreate2(file, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(H5Awrite(attribute, type, value.data()) >= 0);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
  REQUIRE(H5Fclose(file) >= 0);
}

void write_h5(const std::string& path, const std::vector<float>& pixels, long d, const std::vector<int>& labels) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(file >= 0);
  const auto write = [&](const char* name, hid_t type, int rank, const hsize_t* size, const void* values) {
    const hid_t space = H5Screate_simple(rank, size, nullptr);
    const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    REQUIRE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(set);
    H5Sclose(space);
  };
  const hsize_t images[] = {pixels.size() / static_cast<std::size_t>(d), static_cast<hsize_t>(d)};
  const hsize_t count[] = {labels.size()};
  write("x_train", H5T_NATIVE_FLOAT, 2, images, pixels.data());
  write("y_train", H5T_NATIVE_INT, 1, count, labels.data());
  REQUIRE(H5Fclose(file) >= 0);
}

void rename_h5(const std::string& path, const std::string& from, const std::string& to) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  REQUIRE(file >= 0);
  REQUIRE(H5Lmove(file, from.c_str(), H5L_SAME_LOC, to.c_str(), H5P_DEFAULT, H5P_DEFAULT) >= 0);
  REQUIRE(H5Fclose(file) >= 0);
}

void set_h5_class_names(const std::string& path, const std::vector<std::string>& names) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  REQUIRE(file >= 0);
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  std::vector<const char*> texts;
  for (const std::string& name : names) texts.push_back(name.c_str());
  const hsize_t count[] = {names.size()};
  const auto write = [&](const char* name, hid_t kind, hid_t space, const void* value) {
    const hid_t attribute = H5Acreate2(file, name, kind, space, H5P_DEFAULT, H5P_DEFAULT);
    REQUIRE(H5Awrite(attribute, kind, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
  };
  const int classes = static_cast<int>(names.size());
  write("class_names", type, H5Screate_simple(1, count, nullptr), texts.data());
  write("classes", H5T_NATIVE_INT, H5Screate(H5S_SCALAR), &classes);
  H5Tclose(type);
  REQUIRE(H5Fclose(file) >= 0);
}

void write_easy_h5(const std::string& path, int n, int classes) {
  constexpr int kPixels = 16;
  std::vector<float> pixels;
  std::vector<int> labels;
  for (int i = 0; i < n; ++i) {
    labels.push_back(i % classes);
    for (int j = 0; j < kPixels; ++j)
      pixels.push_back(j % classes == i % classes ? 0.8F : 0.1F + 0.002F * static_cast<float>((i * 7 + j * 3) % 50));
  }
  write_h5(path, pixels, kPixels, labels);
}

}  // namespace ntkrob::cli_test
