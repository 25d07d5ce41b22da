//===- Html.cpp - a report as one page ------------------------------------===//

#include "compiler/Report/Html.h"

#include "runtime/File.h"

#include <set>
#include <string_view>

using namespace tarn;
using namespace tarn::report;
using rt::Json;

// The files of page/, as strings (CMakeLists.txt writes them).
extern const char *const tarnReportHtml;
extern const char *const tarnReportCss;
extern const char *const tarnReportScript;

/// JSON that may stand in a page: `</script>` cannot occur.
static std::string embedded(const Json &json) {
  std::string text = json.dump(), safe;
  safe.reserve(text.size());
  for (char c : text)
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  return safe;
}

static std::string escaped(const std::string &text) {
  std::string safe;
  for (char c : text)
    if (c == '<')
      safe += "&lt;";
    else if (c == '&')
      safe += "&amp;";
    else
      safe += c;
  return safe;
}

std::string tarn::report::toHtml(const Json &report, const Json &sources) {
  const Json *model = report.find("model");
  std::string title =
      (model && model->isString() ? model->asString() : "model") +
      std::string(" - plan");
  const std::pair<std::string_view, std::string> parts[] = {
      {"{{title}}", escaped(title)},
      {"{{style}}", tarnReportCss},
      {"{{plan}}", embedded(report)},
      {"{{sources}}", embedded(sources)},
      {"{{script}}", tarnReportScript}};
  // Only the page's own marks are replaced, not what looks like one in a part.
  std::string_view page = tarnReportHtml;
  std::string out;
  while (!page.empty()) {
    size_t at = page.find("{{");
    const std::pair<std::string_view, std::string> *found = nullptr;
    for (const auto &part : parts)
      if (at != page.npos && page.substr(at).starts_with(part.first))
        found = &part;
    if (!found) {
      out += page;
      break;
    }
    out += page.substr(0, at);
    out += found->second;
    page.remove_prefix(at + found->first.size());
  }
  return out;
}

/// Adds the files of all `place` members below `json`.
static void findFiles(const Json &json, std::set<std::string> &files) {
  if (json.isArray())
    for (const Json &item : json.asArray())
      findFiles(item, files);
  if (!json.isObject())
    return;
  for (const auto &[key, value] : json.asObject()) {
    if (key != "place") {
      findFiles(value, files);
      continue;
    }
    if (!value.isString())
      continue;
    // FILE:LINE:COLUMN
    std::string file = value.asString();
    for (int i = 0; i != 2; ++i)
      file = file.substr(0, file.rfind(':'));
    files.insert(file);
  }
}

Json tarn::report::readSources(
    const Json &report,
    const std::function<const char *(const std::string &)> &library) {
  std::set<std::string> files;
  findFiles(report, files);
  Json sources = Json::object();
  for (const std::string &file : files) {
    const char *known = library(file);
    rt::Result<std::string> text =
        known ? std::string(known) : rt::readFile(file, 1u << 20);
    // Only texts can stand in a page.
    if (!text.ok() || text->find('\0') != std::string::npos)
      continue;
    Json lines = Json::array();
    for (size_t at = 0; at < text->size();) {
      size_t end = std::min(text->find('\n', at), text->size());
      lines.push(text->substr(at, end - at));
      at = end + 1;
    }
    sources.set(file, std::move(lines));
  }
  return sources;
}
