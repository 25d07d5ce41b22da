//===- CheckPlan.h - the plan checker, from C++ -----------------*- C++ -*-===//

#ifndef TEST_CHECKER_CHECKPLAN_H
#define TEST_CHECKER_CHECKPLAN_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace tarn::test {

/// Runs plan_checker.py on an artifact's manifest (JSON); what it complains
/// about, or nothing.
std::string checkPlan(llvm::StringRef manifest);

} // namespace tarn::test

#endif // TEST_CHECKER_CHECKPLAN_H
