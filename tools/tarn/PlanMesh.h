//===- PlanMesh.h - `tarn plan --mesh` --------------------------*- C++ -*-===//

#ifndef TOOLS_TARN_PLANMESH_H
#define TOOLS_TARN_PLANMESH_H

namespace tarn::cli {

struct Invocation;

/// The memory of one rank of a mesh, and a table of devices. Returns an
/// ExitCode.
int runPlanMesh(const Invocation &invocation);

} // namespace tarn::cli

#endif // TOOLS_TARN_PLANMESH_H
