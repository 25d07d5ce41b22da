//===- KernelCostJson.cpp - counts inside of an artifact ------------------===//

#include "compiler/Cost/KernelCostJson.h"

using namespace tarn;
using rt::Json;

Json tarn::writeKernelCost(const KernelCost &cost) {
  Json dots = Json::object();
  for (unsigned type = 0; type != dotTypeCount; ++type)
    if (cost.dotFlops[type])
      dots.set(dotTypeName(DotType(type)).str(), cost.dotFlops[type]);
  Json work = Json::object();
  work.set("dots", std::move(dots));
  work.set("vector", cost.vectorOps);
  work.set("special", cost.specialOps);
  work.set("read", cost.bytesRead);
  work.set("written", cost.bytesWritten);
  work.set("loaded", cost.bytesLoaded);
  work.set("tile_ops", cost.tileOps);
  work.set("blocks", cost.blocks);
  return work;
}

std::optional<KernelCost> tarn::readKernelCost(const Json &work) {
  KernelCost cost;
  auto read = [](const Json *count, int64_t &to) {
    if (!count || !count->isInt() || count->asInt() < 0)
      return false;
    to = count->asInt();
    return true;
  };
  for (auto [key, to] : {std::pair("vector", &cost.vectorOps),
                         {"special", &cost.specialOps},
                         {"read", &cost.bytesRead},
                         {"written", &cost.bytesWritten},
                         {"loaded", &cost.bytesLoaded},
                         {"tile_ops", &cost.tileOps},
                         {"blocks", &cost.blocks}})
    if (!read(work.find(key), *to))
      return std::nullopt;
  const Json *dots = work.find("dots");
  if (!dots || !dots->isObject())
    return std::nullopt;
  for (unsigned type = 0; type != dotTypeCount; ++type)
    if (const Json *count = dots->find(dotTypeName(DotType(type)).str()))
      if (!read(count, cost.dotFlops[type]))
        return std::nullopt;
  return cost;
}
