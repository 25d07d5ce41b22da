//===- Cubin.cpp - what NVIDIA's machine code says of itself --------------===//
//
// A cubin is a 64-bit ELF file. Sections `.nv.info` and `.nv.info.KERNEL` hold
// records: format (u8), attribute (u8), then a u16 that is the value itself, or
// for format 4 the bytes that follow.
//
//===----------------------------------------------------------------------===//

#include "compiler/Target/Cuda/Cubin.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELF.h"
#include "llvm/Support/Endian.h"

#include <functional>
#include <map>

using namespace tarn::cuda;
using llvm::StringRef;

namespace {

/// Attributes of records.
enum Attribute : uint8_t {
  maxThreads = 0x05,
  parameterInfo = 0x17,
  registerCount = 0x2f,
  largeParameterInfo = 0x45, // where they take more than 4 KB together
  spillOffsets = 0x55
};

using Elf = llvm::object::ELFFile<llvm::object::ELF64LE>;

} // namespace

const CubinKernel *Cubin::find(StringRef name) const {
  auto found = llvm::find_if(
      kernels, [&](const CubinKernel &kernel) { return kernel.name == name; });
  return found == kernels.end() ? nullptr : &*found;
}

static llvm::Error damaged(const llvm::Twine &what) {
  return llvm::createStringError("the cubin is damaged: " + what);
}

static uint32_t word(StringRef bytes, size_t at) {
  return llvm::support::endian::read32le(bytes.data() + at);
}

/// Calls `each` with the attribute and payload of every record.
static llvm::Error
eachRecord(StringRef bytes, llvm::function_ref<void(uint8_t, StringRef)> each) {
  while (!bytes.empty()) {
    if (bytes.size() < 4)
      return damaged("a record is cut off");
    uint8_t format = bytes[0], attribute = bytes[1];
    uint16_t size = llvm::support::endian::read16le(bytes.data() + 2);
    StringRef payload;
    bytes = bytes.drop_front(4);
    if (format == 4) {
      if (bytes.size() < size)
        return damaged("a record is longer than its section");
      payload = bytes.take_front(size);
      bytes = bytes.drop_front(size);
    }
    each(attribute, payload);
  }
  return llvm::Error::success();
}

/// The records of one kernel.
static llvm::Error readKernel(StringRef bytes, CubinKernel &kernel) {
  std::map<unsigned, unsigned> sizes;
  llvm::Error error = eachRecord(bytes, [&](uint8_t attribute, StringRef data) {
    if (attribute == parameterInfo && data.size() >= 12)
      // Index u32, ordinal u16, offset u16, flags u32 with the size on top.
      sizes[word(data, 4) & 0xFFFF] = word(data, 8) >> 18;
    else if (attribute == largeParameterInfo && data.size() >= 12)
      sizes[word(data, 4) & 0xFFFF] = word(data, 8);
    else if (attribute == maxThreads && data.size() >= 12)
      kernel.maxThreads = word(data, 0) * word(data, 4) * word(data, 8);
    else if (attribute == spillOffsets)
      kernel.spills = true;
  });
  if (error)
    return error;
  for (auto [ordinal, size] : sizes) {
    if (ordinal != kernel.parameters.size())
      return damaged("parameter " + llvm::Twine(kernel.parameters.size()) +
                     " of `" + kernel.name + "` is missing");
    kernel.parameters.push_back(size);
  }
  return llvm::Error::success();
}

llvm::Expected<Cubin> tarn::cuda::readCubin(StringRef bytes) {
  // The reader wants its headers aligned.
  std::string copy = bytes.str();
  auto elf = Elf::create(copy);
  if (!elf)
    return elf.takeError();
  if (elf->getHeader().e_machine != llvm::ELF::EM_CUDA)
    return llvm::createStringError("this is no code for NVIDIA's GPUs");
  Cubin cubin;
  cubin.sm = elf->getHeader().e_flags >> 8 & 0xFF;
  auto sections = elf->sections();
  if (!sections)
    return sections.takeError();
  std::map<std::string, uint64_t> shared;
  std::map<uint32_t, unsigned> registers; // by index of the symbol
  std::vector<std::string> symbols;
  for (const auto &section : *sections) {
    auto name = elf->getSectionName(section);
    if (!name)
      return name.takeError();
    if (section.sh_type == llvm::ELF::SHT_SYMTAB) {
      auto table = elf->symbols(&section);
      if (!table)
        return table.takeError();
      auto strings = elf->getStringTableForSymtab(section);
      if (!strings)
        return strings.takeError();
      for (const auto &symbol : *table) {
        auto text = symbol.getName(*strings);
        if (!text)
          return text.takeError();
        symbols.push_back(text->str());
      }
      continue;
    }
    if (name->consume_front(".nv.shared.")) {
      shared[name->str()] = section.sh_size;
      continue;
    }
    bool ofKernel = name->starts_with(".nv.info.");
    if (!ofKernel && *name != ".nv.info")
      continue;
    auto contents = elf->getSectionContents(section);
    if (!contents)
      return contents.takeError();
    StringRef data = llvm::toStringRef(*contents);
    if (ofKernel) {
      cubin.kernels.emplace_back();
      cubin.kernels.back().name = name->drop_front(9).str();
      if (llvm::Error error = readKernel(data, cubin.kernels.back()))
        return error;
    } else if (llvm::Error error =
                   eachRecord(data, [&](uint8_t attribute, StringRef payload) {
                     if (attribute == registerCount && payload.size() >= 8)
                       registers[word(payload, 0)] = word(payload, 4);
                   })) {
      return error;
    }
  }
  for (auto [symbol, count] : registers)
    if (symbol < symbols.size())
      for (CubinKernel &kernel : cubin.kernels)
        if (kernel.name == symbols[symbol])
          kernel.registers = count;
  for (CubinKernel &kernel : cubin.kernels)
    kernel.staticShared = shared.count(kernel.name) ? shared[kernel.name] : 0;
  return cubin;
}
