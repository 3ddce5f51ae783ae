#include "ntkrob/jobs/input.hpp"

#include <algorithm>

#include "ntkrob/data/model_features.hpp"

namespace ntkrob::jobs {

namespace {

void keep(Context& context, const std::string& name, const Dataset& data, const ReadOptions& options) {
  const auto same = [&](const auto& reading) { return reading.first == name; };
  if (std::any_of(context.readings.begin(), context.readings.end(), same)) return;
  context.readings.emplace_back(name, spelt(data.notes));
  if (!options.given().empty()) context.readings.back().second.push_back("read with" + read_arguments(options));
  for (const std::string& clause : data.notes) {
    // Clauses that begin with the file name it once.
    const std::string line = clause.rfind(name, 0) == 0 ? clause : name + ": " + clause;
    context.listener().note("reading " + line);
  }
}

/// The features of all inputs of a command must be the same ones.   throws: ConfigError
void agree(Context& context, const std::string& file, const std::vector<std::string>& names,
           const std::vector<float>& low, const std::vector<float>& high) {
  if (!names.empty() && context.feature_names.empty()) {
    context.feature_names = names;
    context.names_source = file;
  }
  for (std::size_t c = 0; c < std::min(names.size(), context.feature_names.size()); ++c)
    NTKROB_CHECK(names[c] == context.feature_names[c], ConfigError, file, ": feature ", c + 1, " is called \"",
                 names[c], "\", in ", context.names_source, " \"", context.feature_names[c],
                 "\"; columns are taken in their order and must be the same");
  if (low.empty()) return;
  if (context.feature_low.empty()) {
    context.feature_low = low;
    context.feature_high = high;
    context.ranges_source = file;
  }
  NTKROB_CHECK(low == context.feature_low && high == context.feature_high, ConfigError, file,
               ": its features were scaled by other ranges than those of ", context.ranges_source,
               "; write it anew: ntkrob convert ... ", field("value-range"), " ", context.ranges_source);
}

/// Opens an input whose features are scaled as those before, where they are scaled by their columns.
Dataset open_agreeing(Context& context, const std::vector<std::string>& paths, const std::string& name,
                      ReadOptions options) {
  if (options.value_range == "columns" && !context.feature_low.empty()) {
    options.feature_low = context.feature_low;
    options.feature_high = context.feature_high;
    options.feature_source = context.ranges_source;
  }
  options.memory = context.settings.memory.value;
  Dataset data = open_dataset(paths, options);
  agree(context, name, data.feature_names, data.feature_low, data.feature_high);
  return data;
}

}  // namespace

void adopt_features(Context& context, const StateDict& model, const std::string& file) {
  const ModelFeatures features = model_features(model, file);
  agree(context, file, features.names, features.low, features.high);
}

void store_features(StateDict& model, const Dataset& data) {
  std::string names;
  for (std::string name : data.feature_names) {
    std::replace(name.begin(), name.end(), '\n', ' ');
    names += name + "\n";
  }
  if (!names.empty()) model.set("feature_names", names);
  if (data.feature_low.empty()) return;
  std::vector<float> values = data.feature_low;
  values.insert(values.end(), data.feature_high.begin(), data.feature_high.end());
  model.set("feature_range", NdArray<float>{{2, static_cast<index>(data.feature_low.size())}, values});
}

Dataset open_input(Context& context, const std::string& path, const ReadOptions& options, std::size_t inputs) {
  ReadOptions used = options;
  if (inputs > 1 && !options.given().empty() && identify(path).first == "dataset") used = ReadOptions();
  Dataset data = open_agreeing(context, {path}, path, used);
  keep(context, path, data, used);
  return data;
}

Dataset open_inputs(Context& context, const std::vector<std::string>& paths, const ReadOptions& options) {
  ReadOptions limited = options;
  limited.memory = context.settings.memory.value;
  Dataset data = open_dataset(paths, limited);
  const PartFiles& parts = options.parts;
  keep(context,
       !paths.empty()               ? paths.front()
       : parts.train_images.empty() ? parts.test_images
                                    : parts.train_images,
       data, options);
  return data;
}

std::string written_files(const std::string& path) {
  const std::string extension = file_extension(path);
  return extension == ".idx" ? path.substr(0, path.size() - extension.size()) + "-{train,t10k}-{images,labels}-idx*"
                             : path;
}

void say_left_out(Context& context, const Dataset& data, const std::string& path) {
  std::string all;
  for (const std::string& one : left_out_by(data, path)) all += (all.empty() ? "" : ", ") + one;
  if (!all.empty()) context.listener().note(text(path, " cannot hold and drops: ", all));
}

std::vector<std::string> reading_record(const Dataset& data, const ReadOptions& options, const std::string& path) {
  std::vector<std::string> record = data.provenance.reading;  // of the parent's parents
  const std::string folder = path.substr(0, path.size() - file_name(path).size());
  for (std::string clause : spelt(data.notes)) {
    for (std::size_t at; !folder.empty() && (at = clause.find(folder)) != std::string::npos;)
      clause.erase(at, folder.size());
    record.push_back(clause);
  }
  const std::string arguments = read_arguments(options);
  if (!arguments.empty()) record.push_back("read with" + arguments);
  return record;
}

std::string read_arguments(const ReadOptions& options) {
  const std::string dashes = "--";
  std::string line;
  for (const auto& [name, value] : options.given()) line += " " + dashes + name + (value == "true" ? "" : " " + value);
  return line;
}

}  // namespace ntkrob::jobs
