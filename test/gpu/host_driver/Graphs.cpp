//===- Graphs.cpp - Captures and their graphs -----------------------------===//

#include "test/gpu/host_driver/HostDriver.h"

#include <cstdio>

using namespace tarn::gpu;

TARN_DRIVER_EXPORT cuStreamBeginCapture_v2(void *handle, int) {
  TARN_DRIVER_CALL(cuStreamBeginCapture_v2)
  if (!handle)
    return captureUnsupported;
  Stream *stream = d.stream(handle);
  if (!stream)
    return invalidHandle;
  if (stream->capture)
    return illegalState;
  auto capture = std::make_unique<Capture>();
  capture->number = ++d.captureCount;
  capture->origin = stream;
  capture->thread = std::this_thread::get_id();
  stream->capture = capture.get();
  stream->tips.clear();
  d.captures[capture->number] = std::move(capture);
  return ok;
}

void Driver::endCapture(Capture &capture) {
  for (Stream *stream : streams)
    if (stream->capture == &capture) {
      stream->capture = nullptr;
      stream->tips.clear();
    }
  captures.erase(capture.number);
}

/// Whether all nodes come before the end of the origin's stream.
static bool joined(const Capture &capture) {
  std::vector<bool> reached(capture.nodes.size(), false);
  std::vector<size_t> next(capture.origin->tips.begin(),
                           capture.origin->tips.end());
  while (!next.empty()) {
    size_t node = next.back();
    next.pop_back();
    if (reached[node])
      continue;
    reached[node] = true;
    next.insert(next.end(), capture.nodes[node].before.begin(),
                capture.nodes[node].before.end());
  }
  for (bool is : reached)
    if (!is)
      return false;
  return true;
}

TARN_DRIVER_EXPORT cuStreamEndCapture(void *handle, void **graph) {
  TARN_DRIVER_CALL(cuStreamEndCapture)
  *graph = nullptr;
  Stream *stream = handle ? d.stream(handle) : nullptr;
  if (!stream)
    return invalidHandle;
  Capture *capture = stream->capture;
  if (!capture)
    return illegalState;
  if (capture->thread != std::this_thread::get_id())
    return captureWrongThread;
  if (capture->origin != stream) {
    capture->invalid = true;
    return captureUnmatched;
  }
  int error = capture->invalid    ? captureInvalidated
              : !joined(*capture) ? captureUnjoined
                                  : ok;
  if (!error) {
    auto *made = new Graph{std::move(capture->nodes)};
    d.graphs.insert(made);
    *graph = made;
  }
  d.endCapture(*capture);
  return error;
}

TARN_DRIVER_EXPORT cuGraphInstantiateWithFlags(void **exec, void *handle,
                                               unsigned long long) {
  TARN_DRIVER_CALL(cuGraphInstantiateWithFlags)
  auto *graph = static_cast<Graph *>(handle);
  if (!d.graphs.count(graph))
    return invalidHandle;
  auto *made = new GraphExec{graph->nodes, nullptr};
  d.execs.insert(made);
  *exec = made;
  return ok;
}

TARN_DRIVER_EXPORT cuGraphUpload(void *handle, void *stream) {
  TARN_DRIVER_CALL(cuGraphUpload)
  if (!d.execs.count(static_cast<GraphExec *>(handle)) || !d.stream(stream))
    return invalidHandle;
  return d.refuseInCapture();
}

TARN_DRIVER_EXPORT cuGraphLaunch(void *handle, void *streamHandle) {
  TARN_DRIVER_CALL(cuGraphLaunch)
  auto *exec = static_cast<GraphExec *>(handle);
  Stream *stream = d.stream(streamHandle);
  if (!d.execs.count(exec) || !stream)
    return invalidHandle;
  if (stream->capture) {
    stream->capture->invalid = true;
    return captureUnsupported;
  }
  // The nodes mix with the work of other streams.
  TaskRef begin = d.add(nullptr, {stream->last, exec->last});
  std::vector<TaskRef> tasks;
  for (const Node &node : exec->nodes) {
    std::vector<TaskRef> before = {begin};
    for (size_t other : node.before)
      before.push_back(tasks[other]);
    tasks.push_back(d.add(node.run, before));
  }
  tasks.push_back(begin);
  stream->last = exec->last = d.add(nullptr, tasks);
  return ok;
}

TARN_DRIVER_EXPORT cuGraphExecDestroy(void *handle) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  auto *exec = static_cast<GraphExec *>(handle);
  if (!d.execs.count(exec))
    return invalidHandle;
  d.runUntil(exec->last);
  d.execs.erase(exec);
  delete exec;
  return ok;
}

TARN_DRIVER_EXPORT cuGraphDestroy(void *handle) {
  Driver &d = driver();
  std::lock_guard<std::recursive_mutex> lock(d.mutex);
  auto *graph = static_cast<Graph *>(handle);
  if (!d.graphs.erase(graph))
    return invalidHandle;
  delete graph;
  return ok;
}

TARN_DRIVER_EXPORT cuGraphDebugDotPrint(void *handle, const char *path,
                                        unsigned) {
  TARN_DRIVER_CALL(cuGraphDebugDotPrint)
  auto *graph = static_cast<Graph *>(handle);
  FILE *file = d.graphs.count(graph) ? fopen(path, "w") : nullptr;
  if (!file)
    return invalidValue;
  fprintf(file, "digraph {\n");
  for (size_t i = 0; i < graph->nodes.size(); ++i)
    for (size_t before : graph->nodes[i].before)
      fprintf(file, "  %zu -> %zu\n", before, i);
  fprintf(file, "}\n");
  fclose(file);
  return ok;
}
