// Products by a library, on the host driver with the stand-in for cuBLASLt.
#include "runtime/CublasLt.h"
#include "runtime/File.h"
#include "test/runtime/CudaModel.h"

#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <gtest/gtest.h>

using namespace tarn::rt;
using namespace tarn::rt::test;

namespace {

/// The environment of both stand-ins.
struct HostLibrary {
  explicit HostLibrary(const std::string &faults = "", uint64_t seed = 1)
      : driver("", faults, seed) {
    ::setenv("TARN_CUBLASLT", TARN_TEST_HOST_CUBLASLT, 1);
  }
  ~HostLibrary() { ::unsetenv("TARN_CUBLASLT"); }
  HostDriver driver;
};

/// A model of one function, which is one product.
struct Case {
  int64_t rows = 16, columns = 24, depth = 32, batch = 1;
  bool transA = false, transB = false, addend = false, bias = false;
  DType in = DType::F32, out = DType::F32;
  uint64_t workspace = 2 << 20;
};

} // namespace

static uint64_t aligned(uint64_t bytes) { return (bytes + 63) / 64 * 64; }

static Manifest manifestOf(const Case &c) {
  Manifest manifest;
  manifest.model = "product";
  Target target;
  target.kind = TargetKind::Cuda;
  target.isa = "sm_90a";
  target.code = "code.0";
  target.nvrtc = "13.0.88";
  Function function;
  function.name = "forward";
  function.kind = "forward";
  Kernel kernel;
  kernel.symbol = kernel.name = "k_dot";
  LibraryProduct product;
  product.rows = c.rows;
  product.columns = c.columns;
  product.depth = c.depth;
  product.batch = c.batch;
  Op launch;
  auto addInput = [&](const std::string &name, DType dtype,
                      std::vector<int64_t> shape) {
    TensorDesc tensor;
    tensor.name = name;
    tensor.dtype = dtype;
    tensor.shape = shape;
    tensor.bytes = *elementCount(shape) * dtypeSize(dtype);
    tensor.offset = function.inputBytes;
    function.inputBytes += aligned(tensor.bytes);
    kernel.args.push_back({tensor.bytes, KernelArg::Access::Read});
    launch.args.push_back({Space::Input, tensor.offset, 0});
    function.inputs.push_back(tensor);
    return static_cast<uint32_t>(kernel.args.size() - 1);
  };
  auto matrix = [&](uint32_t buffer, DType dtype, int64_t rows, int64_t columns,
                    bool transposed) {
    LibraryMatrix m;
    m.buffer = buffer;
    m.dtype = dtype;
    m.transposed = transposed;
    m.leading = static_cast<uint64_t>(transposed ? rows : columns);
    m.stride = c.batch > 1 ? static_cast<uint64_t>(rows * columns) : 0;
    return m;
  };
  auto shape = [&](int64_t rows, int64_t columns, bool transposed) {
    return transposed ? std::vector<int64_t>{c.batch, columns, rows}
                      : std::vector<int64_t>{c.batch, rows, columns};
  };
  product.a = matrix(addInput("a", c.in, shape(c.rows, c.depth, c.transA)),
                     c.in, c.rows, c.depth, c.transA);
  product.b = matrix(addInput("b", c.in, shape(c.depth, c.columns, c.transB)),
                     c.in, c.depth, c.columns, c.transB);
  if (c.addend)
    product.addend = addInput("addend", c.out, shape(c.rows, c.columns, false));
  if (c.bias)
    product.bias = addInput("bias", c.out, {c.columns});
  TensorDesc result;
  result.name = "d";
  result.dtype = c.out;
  result.shape = shape(c.rows, c.columns, false);
  result.bytes = *elementCount(result.shape) * dtypeSize(c.out);
  function.outputBytes = aligned(result.bytes);
  function.outputs = {result};
  kernel.args.push_back({result.bytes, KernelArg::Access::Write});
  launch.args.push_back({Space::Output, 0, 0});
  product.d = matrix(static_cast<uint32_t>(kernel.args.size() - 1), c.out,
                     c.rows, c.columns, false);
  if (c.workspace) {
    product.workspace = static_cast<uint32_t>(kernel.args.size());
    kernel.args.push_back({c.workspace, KernelArg::Access::Write});
    launch.args.push_back({Space::Arena, 0, 0});
    function.arenaBytes = aligned(c.workspace);
  }
  kernel.library = product;
  function.program = {launch};
  target.kernels = {kernel};
  target.functions = {function};
  manifest.targets = {target};
  return manifest;
}

static std::string artifactOf(const Manifest &manifest) {
  ArtifactWriter writer;
  writer.add("manifest", writeManifest(manifest));
  writer.add("code.0", std::string(64, '\0'));
  Result<std::string> file = writer.finish();
  EXPECT_TRUE(file.ok());
  return file.take();
}

/// An element as a float, and as the bits of a type.
static float decode(const std::string &bytes, size_t at, DType dtype) {
  uint32_t word = 0;
  std::memcpy(&word, &bytes[at * dtypeSize(dtype)], dtypeSize(dtype));
  if (dtype == DType::BF16)
    word <<= 16;
  if (dtype == DType::F16) {
    int exponent = word >> 10 & 31;
    float size = exponent ? std::ldexp(1024.0f + (word & 1023), exponent - 25)
                          : std::ldexp(float(word & 1023), -24);
    return word & 0x8000 ? -size : size;
  }
  float value;
  std::memcpy(&value, &word, 4);
  return value;
}

/// Eighths between -2 and 2, which every type has.
static std::string randomBytes(uint64_t count, DType dtype, uint64_t seed) {
  std::string bytes;
  uint64_t state = seed;
  for (uint64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    float value = (float((state >> 40) % 33) - 16) / 8;
    uint32_t word;
    std::memcpy(&word, &value, 4);
    if (dtype == DType::BF16)
      word >>= 16;
    if (dtype == DType::F16) {
      uint32_t sign = word >> 16 & 0x8000;
      int exponent = int(word >> 23 & 255) - 127;
      word = value == 0
                 ? 0
                 : sign | uint32_t(exponent + 15) << 10 | (word >> 13 & 1023);
    }
    bytes.append(reinterpret_cast<const char *>(&word), dtypeSize(dtype));
  }
  return bytes;
}

/// Runs a product twice and compares with plain sums.
static void checkProduct(const Case &c) {
  Result<std::unique_ptr<Session>> session = open(artifactOf(manifestOf(c)));
  ASSERT_TRUE(session.ok()) << session.status().message();
  EXPECT_TRUE((*session)->notes().empty());
  const Function &function = (*session)->functions()[0];
  std::vector<std::string> inputs;
  std::vector<const void *> pointers;
  for (const TensorDesc &input : function.inputs)
    inputs.push_back(randomBytes(*elementCount(input.shape), input.dtype,
                                 inputs.size() + 7));
  for (const std::string &input : inputs)
    pointers.push_back(input.data());
  std::string got(function.outputs[0].bytes, '\xFF'), again = got;
  void *out[] = {got.data()}, *second[] = {again.data()};
  Status status = (*session)->run(0, pointers.data(), out);
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_TRUE((*session)->run(0, pointers.data(), second).ok());
  EXPECT_EQ(got, again);
  // Sums of 1024ths are exact in f32.
  double rounding = c.out == DType::F32   ? 0
                    : c.out == DType::F16 ? 1.0 / 2048
                                          : 1.0 / 256;
  for (int64_t n = 0; n < c.batch; ++n)
    for (int64_t i = 0; i < c.rows; ++i)
      for (int64_t j = 0; j < c.columns; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < c.depth; ++k) {
          int64_t a = n * c.rows * c.depth +
                      (c.transA ? k * c.rows + i : i * c.depth + k);
          int64_t b = n * c.depth * c.columns +
                      (c.transB ? j * c.depth + k : k * c.columns + j);
          sum += double(decode(inputs[0], size_t(a), c.in)) *
                 decode(inputs[1], size_t(b), c.in);
        }
        int64_t at = (n * c.rows + i) * c.columns + j;
        if (c.addend)
          sum += decode(inputs[2], size_t(at), c.out);
        if (c.bias)
          sum += decode(inputs[2], size_t(j), c.out);
        ASSERT_NEAR(decode(got, size_t(at), c.out), sum,
                    std::fabs(sum) * rounding)
            << "matrix " << n << ", element " << i << ", " << j;
      }
}

TEST(CublasLt, MultipliesInEveryForm) {
  HostLibrary host;
  for (int form = 0; form < 4; ++form)
    for (int64_t batch : {1, 3})
      for (int sum = 0; sum < 3; ++sum)
        for (auto [in, out] : {std::pair(DType::F32, DType::F32),
                               {DType::BF16, DType::F32},
                               {DType::BF16, DType::BF16},
                               {DType::F16, DType::F16}}) {
          Case c;
          c.batch = batch;
          c.transA = form & 1;
          c.transB = form & 2;
          c.addend = sum == 1;
          c.bias = sum == 2;
          c.in = in;
          c.out = out;
          SCOPED_TRACE("form " + std::to_string(form) + ", batch " +
                       std::to_string(batch) + ", sum " + std::to_string(sum) +
                       ", " + dtypeName(in) + " to " + dtypeName(out));
          checkProduct(c);
        }
  EXPECT_EQ(HostDriver::count("live"), 0u);
}

TEST(CublasLt, RunsInsideOneGraphInEveryOrder) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    HostLibrary host("", seed);
    checkProduct(Case());
    EXPECT_EQ(HostDriver::count("cuGraphLaunch"), 2u);
    // Described once; run once into the graph.
    EXPECT_EQ(HostDriver::count("cublasLtMatmul"), 1u);
    EXPECT_EQ(HostDriver::count("cublasLtMatmulDescCreate"), 1u);
    EXPECT_EQ(HostDriver::count("cublasLtMatmulAlgoGetHeuristic"), 1u);
    EXPECT_EQ(HostDriver::count("@cublasLt"), 2u);
  }
}

TEST(CublasLt, WorksInWhatThePlanHas) {
  HostLibrary host;
  for (uint64_t workspace : {0, 64, 4096, 1 << 20}) {
    Case c;
    c.workspace = workspace;
    checkProduct(c);
  }
}

static std::string hex(uint64_t first) {
  std::string digits;
  for (int i = 0; i < 64; ++i) {
    char text[3];
    std::snprintf(text, sizeof text, "%02x",
                  i < 8 ? unsigned(first >> (8 * i) & 255) : 0);
    digits += text;
  }
  return digits;
}

/// The session's notes with a measured algorithm.
static std::vector<std::string> notesWith(uint64_t word, uint64_t version,
                                          const std::string &device,
                                          uint64_t workspace = 0) {
  Case c;
  c.workspace = workspace;
  Manifest manifest = manifestOf(c);
  LibraryProduct &product = *manifest.targets[0].kernels[0].library;
  product.algorithm = hex(word);
  product.version = version;
  product.device = device;
  Result<std::unique_ptr<Session>> session = open(artifactOf(manifest));
  EXPECT_TRUE(session.ok()) << session.status().message();
  return session.ok() ? (*session)->notes() : std::vector<std::string>();
}

TEST(CublasLt, TakesTheMeasuredAlgorithmWhereItIsThatOfTheLibrary) {
  HostLibrary host;
  const uint64_t plain = 0x7461726e2d6c7401, split = plain + 1;
  Result<std::unique_ptr<Session>> session =
      open(artifactOf(manifestOf(Case())));
  ASSERT_TRUE(session.ok());
  const std::string name = (*session)->describeDevice();
  EXPECT_TRUE(notesWith(plain, 130100, name).empty());
  auto expectNote = [](const std::vector<std::string> &notes,
                       const std::string &part) {
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_NE(notes[0].find(part), std::string::npos) << notes[0];
  };
  expectNote(notesWith(plain, 120900, name), "version 120900, this is 130100");
  expectNote(notesWith(plain, 130100, "NVIDIA H20"),
             "NVIDIA H20, this is " + name);
  expectNote(notesWith(99, 130100, name), "status 7 (invalid value)");
  expectNote(notesWith(split, 130100, name), "more workspace");
  EXPECT_TRUE(notesWith(split, 130100, name, 1 << 20).empty());
}

TEST(CublasLt, SaysWhatIsMissing) {
  HostLibrary host;
  ::setenv("TARN_CUBLASLT", "/nowhere/libcublasLt.so.13", 1);
  Result<std::unique_ptr<Session>> session =
      open(artifactOf(manifestOf(Case())));
  ASSERT_FALSE(session.ok());
  for (const char *part : {"asks for cuBLASLt", "/nowhere/libcublasLt.so.13",
                           "nvidia-cublas", "TARN_CUBLASLT", "--gemm own"})
    EXPECT_NE(session.status().message().find(part), std::string::npos)
        << session.status().message();
  // A library, but another one.
  ::setenv("TARN_CUBLASLT", TARN_TEST_HOST_DRIVER, 1);
  session = open(artifactOf(manifestOf(Case())));
  ASSERT_FALSE(session.ok());
  EXPECT_NE(session.status().message().find("has no cublasLtCreate"),
            std::string::npos)
      << session.status().message();
}

TEST(CublasLt, EveryCallMayFail) {
  const char *calls[] = {"cublasLtCreate",
                         "cublasLtMatmulDescCreate",
                         "cublasLtMatmulDescSetAttribute",
                         "cublasLtMatrixLayoutCreate",
                         "cublasLtMatrixLayoutSetAttribute",
                         "cublasLtMatmulPreferenceCreate",
                         "cublasLtMatmulPreferenceSetAttribute",
                         "cublasLtMatmulAlgoGetHeuristic",
                         "cublasLtMatmul"};
  Case c;
  c.batch = 2;
  c.bias = true;
  std::string artifact = artifactOf(manifestOf(c));
  std::string zeros(1 << 16, '\0');
  const void *inputs[] = {zeros.data(), zeros.data(), zeros.data()};
  for (const char *call : calls) {
    HostLibrary host(std::string(call) + ":1=13");
    Result<std::unique_ptr<Session>> session = open(artifact);
    Status status =
        session.ok() ? (*session)->run(0, inputs, nullptr) : session.status();
    EXPECT_FALSE(status.ok()) << call;
    EXPECT_NE(status.message().find("status 13 of cuBLASLt"), std::string::npos)
        << call << ": " << status.message();
    EXPECT_EQ(session.ok(), std::string(call) == "cublasLtMatmul");
    if (!session.ok())
      EXPECT_EQ(HostDriver::count("live"), 0u) << call;
  }
  // A fault while it runs.
  HostLibrary host("@cublasLt:1=700");
  Result<std::unique_ptr<Session>> session = open(artifact);
  ASSERT_TRUE(session.ok());
  Status status = (*session)->run(0, inputs, nullptr);
  EXPECT_NE(status.message().find("ILLEGAL_ADDRESS"), std::string::npos)
      << status.message();
}

TEST(CublasLt, IsMeasuredByName) {
  HostLibrary host;
  SessionOptions options;
  options.profile = true;
  Result<std::unique_ptr<Session>> session =
      open(artifactOf(manifestOf(Case())), options);
  ASSERT_TRUE(session.ok());
  std::string zeros(1 << 16, '\0');
  const void *inputs[] = {zeros.data(), zeros.data()};
  ASSERT_TRUE((*session)->run(0, inputs, nullptr).ok());
  EXPECT_EQ((*session)->profile().kernels[0].launches, 1u);
  EXPECT_GT((*session)->profile().kernels[0].nanoseconds, 0u);
}

TEST(CublasLt, BelievesNoManifest) {
  struct Lie {
    const char *what;
    void (*tell)(Kernel &, LibraryProduct &);
  };
  const Lie lies[] = {
      {"product of 1 times 0 x",
       [](Kernel &, LibraryProduct &p) { p.rows = 0; }},
      {"product of", [](Kernel &, LibraryProduct &p) { p.depth = -1; }},
      {"product of",
       [](Kernel &, LibraryProduct &p) { p.columns = int64_t(1) << 31; }},
      {"product of", [](Kernel &, LibraryProduct &p) { p.batch = 0; }},
      {"reaches", [](Kernel &, LibraryProduct &p) { p.rows = 17; }},
      {"that overlap",
       [](Kernel &, LibraryProduct &p) { p.batch = 2000000000; }},
      {"leading dim of 24 for rows of 28",
       [](Kernel &, LibraryProduct &p) { p.columns = 28; }},
      {"names argument 9 of 4",
       [](Kernel &, LibraryProduct &p) { p.a.buffer = 9; }},
      {"which is written", [](Kernel &, LibraryProduct &p) { p.b.buffer = 2; }},
      {"only read", [](Kernel &, LibraryProduct &p) { p.d.buffer = 0; }},
      {"no multiple of 16",
       [](Kernel &, LibraryProduct &p) { p.a.leading = 33; }},
      {"no multiple of 16",
       [](Kernel &, LibraryProduct &p) { p.b.offset = 3; }},
      {"outside of any memory",
       [](Kernel &, LibraryProduct &p) { p.a.leading = uint64_t(1) << 60; }},
      {"outside of any memory",
       [](Kernel &, LibraryProduct &p) { p.a.stride = ~uint64_t(0) >> 1; }},
      {"that overlap",
       [](Kernel &k, LibraryProduct &p) {
         p.batch = 2;
         k.args[0].bytes = k.args[1].bytes = k.args[2].bytes = 1 << 20;
       }},
      {"is transposed",
       [](Kernel &, LibraryProduct &p) { p.d.transposed = true; }},
      {"does not multiply f32 and bf16",
       [](Kernel &, LibraryProduct &p) { p.b.dtype = DType::BF16; }},
      {"does not multiply i32",
       [](Kernel &, LibraryProduct &p) { p.a.dtype = p.b.dtype = DType::I32; }},
      {"adds no bias to a sum",
       [](Kernel &, LibraryProduct &p) { p.addend = p.bias = 0; }},
      {"the addend reaches",
       [](Kernel &k, LibraryProduct &p) {
         p.addend = 0;
         k.args[0].bytes = 64;
         p.a.buffer = 1;
       }},
      {"the bias names argument 7",
       [](Kernel &, LibraryProduct &p) { p.bias = 7; }},
      {"the workspace names argument 4",
       [](Kernel &, LibraryProduct &p) { p.workspace = 4; }},
      {"not the library's alone",
       [](Kernel &, LibraryProduct &p) { p.workspace = 2; }},
      {"not the library's alone",
       [](Kernel &, LibraryProduct &p) { p.workspace = 0; }},
      {"128 hexadecimal digits",
       [](Kernel &, LibraryProduct &p) { p.algorithm = "12"; }},
      {"128 hexadecimal digits",
       [](Kernel &, LibraryProduct &p) {
         p.algorithm = std::string(128, 'G');
       }},
      {"of no version",
       [](Kernel &, LibraryProduct &p) {
         p.algorithm = std::string(128, '0');
       }},
      {"it is no candidate",
       [](Kernel &k, LibraryProduct &) { k.tune = TuneEntry{"xyz", "", {}}; }},
      {"it is no candidate",
       [](Kernel &k, LibraryProduct &) {
         k.tune = TuneEntry{std::string(16, '0'), "", {64, 64, 64}};
       }},
      {"scratch, which", [](Kernel &k, LibraryProduct &) { k.scratch = 64; }},
  };
  Manifest good = manifestOf(Case());
  EXPECT_TRUE(validate(good).ok()) << validate(good).message();
  Result<Manifest> back = parseManifest(writeManifest(good));
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(writeManifest(*back), writeManifest(good));
  for (const Lie &lie : lies) {
    Manifest manifest = good;
    Kernel &kernel = manifest.targets[0].kernels[0];
    lie.tell(kernel, *kernel.library);
    Status status = validate(manifest);
    EXPECT_FALSE(status.ok()) << lie.what;
    EXPECT_NE(status.message().find(lie.what), std::string::npos)
        << lie.what << ": " << status.message();
  }
  Manifest manifest = good;
  manifest.targets[0].functions[0].program[0].blocks = 2;
  EXPECT_NE(validate(manifest).message().find("in 2 blocks, not one"),
            std::string::npos);
  std::string text = writeManifest(good);
  text.replace(text.find("cublaslt"), 8, "cutlass9");
  Result<Manifest> other = parseManifest(text);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.status().message().find("`cutlass9` is no library"),
            std::string::npos)
      << other.status().message();
}

// Descriptors need no driver: NVIDIA's library checks the sizes of attributes.
TEST(CublasLt, TheRealLibraryTakesOurAttributes) {
  Result<const CublasLt *> loaded = CublasLt::load();
  if (!loaded.ok())
    GTEST_SKIP() << loaded.status().message();
  const CublasLt &lt = **loaded;
  EXPECT_GE(lt.version, 120000u);
  void *matmul = nullptr, *layout = nullptr, *preference = nullptr;
  ASSERT_EQ(lt.matmulCreate(&matmul, cublasCompute32F, cublasF32), cublasOk);
  int32_t operation = cublasOpT;
  EXPECT_EQ(lt.matmulSet(matmul, matmulTransA, &operation, 4), cublasOk);
  EXPECT_EQ(lt.matmulSet(matmul, matmulTransB, &operation, 4), cublasOk);
  EXPECT_EQ(lt.matmulSet(matmul, matmulTransB, &operation, 2),
            cublasInvalidValue);
  uint32_t epilogue = cublasEpilogueBias;
  EXPECT_EQ(lt.matmulSet(matmul, matmulEpilogue, &epilogue, 4), cublasOk);
  uint64_t address = 64;
  EXPECT_EQ(lt.matmulSet(matmul, matmulBias, &address, 8), cublasOk);
  for (int type : {cublasF32, cublasF16, cublasBF16}) {
    ASSERT_EQ(lt.layoutCreate(&layout, type, 64, 32, 64), cublasOk);
    int32_t count = 3;
    int64_t stride = 64 * 32;
    EXPECT_EQ(lt.layoutSet(layout, layoutBatchCount, &count, 4), cublasOk);
    EXPECT_EQ(lt.layoutSet(layout, layoutBatchStride, &stride, 8), cublasOk);
    EXPECT_EQ(lt.layoutSet(layout, layoutBatchStride, &stride, 4),
              cublasInvalidValue);
    EXPECT_EQ(lt.layoutDestroy(layout), cublasOk);
  }
  ASSERT_EQ(lt.preferenceCreate(&preference), cublasOk);
  uint64_t workspace = 32 << 20;
  uint32_t mask = cublasReduceInF32, alignment = 64;
  EXPECT_EQ(lt.preferenceSet(preference, preferWorkspaceBytes, &workspace, 8),
            cublasOk);
  EXPECT_EQ(lt.preferenceSet(preference, preferReductions, &mask, 4), cublasOk);
  for (int matrix = 0; matrix < 4; ++matrix)
    EXPECT_EQ(
        lt.preferenceSet(preference, preferAlignmentA + matrix, &alignment, 4),
        cublasOk);
  EXPECT_EQ(lt.preferenceDestroy(preference), cublasOk);
  EXPECT_EQ(lt.matmulDestroy(matmul), cublasOk);
}
