//===- Launches.cpp - what a planned module launches ----------------------===//

#include "compiler/Package/Launches.h"

using namespace mlir;
using namespace tarn;

/// The kernels of a group, by their names' addresses.
static std::vector<const void *> keyOf(step::LaunchGroupOp group) {
  std::vector<const void *> key;
  for (step::LaunchOp member : group.getMembers())
    key.push_back(member.getKernelAttr().getAttr().getAsOpaquePointer());
  return key;
}

/// A name for a group: that of its first kernel, without its number.
static std::string nameOf(tile::KernelOp first, size_t number) {
  StringRef name = first.getSymName();
  name.consume_front("k_");
  name = name.rtrim("0123456789_");
  return ("k_group_" + Twine(number) + "_" + name).str();
}

Launches::Launches(ModuleOp module) {
  llvm::DenseMap<StringAttr, tile::KernelOp> byName;
  llvm::DenseSet<StringAttr> inGroups, alone;
  for (auto kernel : module.getOps<tile::KernelOp>())
    byName[kernel.getSymNameAttr()] = kernel;
  module.walk([&](step::LaunchOp launch) {
    bool isMember = isa<step::LaunchGroupOp>(launch->getParentOp());
    (isMember ? inGroups : alone).insert(launch.getKernelAttr().getAttr());
  });
  for (auto kernel : module.getOps<tile::KernelOp>()) {
    StringAttr name = kernel.getSymNameAttr();
    if (inGroups.contains(name) && !alone.contains(name))
      continue;
    aloneIndex[name] = aloneKernels.size();
    aloneKernels.push_back(kernel);
    if (!kernel.getLibrary())
      launched.alone.push_back(kernel);
  }
  module.walk([&](step::LaunchGroupOp group) {
    size_t number = launched.groups.size();
    if (!groupIndex.try_emplace(keyOf(group), number).second)
      return;
    cuda::KernelGroup made;
    for (step::LaunchOp member : group.getMembers())
      made.members.push_back(byName.lookup(member.getKernelAttr().getAttr()));
    made.name = nameOf(made.members.front(), number);
    launched.groups.push_back(std::move(made));
  });
}

size_t Launches::indexOf(step::LaunchOp launch) const {
  return aloneIndex.lookup(launch.getKernelAttr().getAttr());
}

size_t Launches::numberOf(step::LaunchGroupOp group) const {
  return groupIndex.find(keyOf(group))->second;
}
