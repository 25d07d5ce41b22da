//===- Text.cpp - writing indented CUDA text ------------------------------===//

#include "compiler/Target/Cuda/Text.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace tarn::cuda;
using namespace mlir;

/// The file position inside a location.
static FileLineColLoc filePosition(Location location) {
  FileLineColLoc found;
  location->walk([&](Location inner) {
    if (auto position = dyn_cast<FileLineColLoc>(inner)) {
      found = position;
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return found;
}

void Text::at(Location location) {
  FileLineColLoc position = filePosition(location);
  if (!lines || !position || position.getLine() == 0)
    return;
  // NVRTC writes the working folder into line tables in front of names that do
  // not begin with a slash: then equal text would not be equal code.
  StringRef name = position.getFilename().getValue();
  std::string file = name.starts_with("/") ? "" : "/";
  for (char c : name) {
    if (c == '"' || c == '\\')
      file += '\\';
    file += c;
  }
  // Nothing came from the place that was said last.
  size_t last = StringRef(buffer).drop_back(!buffer.empty()).rfind('\n');
  last = last == StringRef::npos ? 0 : last + 1;
  if (StringRef(buffer).substr(last).starts_with("#line "))
    buffer.erase(last);
  directive("#line " + llvm::Twine(position.getLine()) + " \"" + file + "\"");
}

std::string tarn::cuda::nameIn(Location location) {
  std::string name;
  location->walk([&](Location inner) {
    if (auto named = dyn_cast<NameLoc>(inner)) {
      name = named.getName().str();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return name;
}

std::string Names::unique(llvm::StringRef wish) {
  // Words that the frame of every kernel and C++ itself use.
  static const char *reserved[] = {
      "i",     "row",    "column", "arena",    "thread", "warpgroup",
      "turn",  "turns",  "stage",  "phase",    "slice",  "if",
      "for",   "while",  "do",     "int",      "float",  "bool",
      "char",  "long",   "short",  "double",   "new",    "this",
      "else",  "auto",   "const",  "return",   "static", "true",
      "false", "not",    "and",    "or",       "xor",    "exp",
      "log",   "tanh",   "sqrt",   "sin",      "cos",    "operator",
      "class", "struct", "union",  "unsigned", "signed", "u8",
      "u16",   "u32",    "u64",    "i64",      "bf16",   "step",
      "at",    "tile",   "band",   "height"};
  std::string name;
  for (char c : wish)
    name += llvm::isAlnum(c) ? c : '_';
  if (name.empty() || llvm::isDigit(name[0]))
    name = "v" + name;
  if (taken.empty())
    for (const char *word : reserved)
      taken[word] = 1;
  unsigned &count = taken[name];
  if (count++ == 0)
    return name;
  std::string numbered = name + "_" + std::to_string(count);
  while (taken.count(numbered))
    numbered = name + "_" + std::to_string(++taken[name]);
  taken[numbered] = 1;
  return numbered;
}
