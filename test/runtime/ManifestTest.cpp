#include "runtime/Manifest.h"

#include "test/runtime/TestModel.h"

#include <functional>
#include <gtest/gtest.h>
#include <random>

using namespace tarn::rt;
using namespace tarn::rt::test;

TEST(Manifest, WritesWhatItReads) {
  Manifest written = bigramManifest();
  written.targets[0].functions[1].values = {
      {"gradients", "gradient", Space::Arena, 0, 65536, 0, 3, 2, 9, 0},
      {"table.weight", "parameter", Space::State, 0, 16384, -1, 5, 1, 0, -1}};
  written.targets[0].kernels[3].args[1].access = KernelArg::Access::Partial;
  std::string text = writeManifest(written);
  Result<Manifest> manifest = parseManifest(text);
  ASSERT_TRUE(manifest.ok()) << manifest.status().message();
  EXPECT_EQ(writeManifest(*manifest), text);
  EXPECT_EQ(parseManifest(text, 128).status().code(), Code::Invalid);
}

namespace {
struct HostileCase {
  const char *name;
  const char *message; ///< part of the error
  std::function<void(Manifest &)> change;
};
Function &step(Manifest &m) { return m.targets[0].functions[1]; }
Function &park(Manifest &m) { return m.targets[0].functions[6]; }
std::vector<Op> &parked(Manifest &m) { return park(m).program[0].body; }
Op &launch(Manifest &m) { return step(m).program[2]; }
Op &inRepeat(Manifest &m) { return step(m).program[1].body[0]; }
constexpr uint64_t huge = uint64_t(1) << 62;

const HostileCase hostileCases[] = {
    {"no model", "no name", [](Manifest &m) { m.model.clear(); }},
    {"no target", "no target", [](Manifest &m) { m.targets.clear(); }},
    {"twice the isa", "two targets",
     [](Manifest &m) { m.targets.push_back(m.targets[0]); }},
    {"functions differ", "differs between",
     [](Manifest &m) {
       m.targets.push_back(m.targets[0]);
       m.targets[1].isa = "x86-64-v3";
       m.targets[1].functions[1].outputs[0].dtype = DType::I32;
     }},
    {"huge state", "too large", [](Manifest &m) { m.stateBytes = huge; }},
    {"huge arena", "too large", [](Manifest &m) { step(m).arenaBytes = huge; }},
    {"state outside", "outside its space",
     [](Manifest &m) { m.stateBytes = 64; }},
    {"state offset overflows", "outside its space",
     [](Manifest &m) { m.state[0].offset = uint64_t(INT64_MAX) / 64 * 64; }},
    {"state unaligned", "multiple of 64",
     [](Manifest &m) { m.state[2].offset += 4; }},
    {"state overlaps", "overlap", [](Manifest &m) { m.state[1].offset = 64; }},
    {"state without name", "not unique",
     [](Manifest &m) { m.state[0].name.clear(); }},
    {"state twice", "not unique",
     [](Manifest &m) { m.state[0].name = m.state[1].name; }},
    {"state of wrong size", "has 16384 bytes, not 64",
     [](Manifest &m) { m.state[0].bytes = 64; }},
    {"negative extent", "bad shape",
     [](Manifest &m) { m.state[0].shape = {-1, -1}; }},
    {"product overflows", "bad shape",
     [](Manifest &m) { m.state[0].shape = {1LL << 40, 1LL << 40}; }},
    {"product overflows behind a zero", "bad shape",
     [](Manifest &m) { m.state[0].shape = {0, 1LL << 40, 1LL << 40}; }},
    {"rank", "bad shape",
     [](Manifest &m) { m.state[0].shape.assign(1000, 1); }},
    {"input outside", "outside its space",
     [](Manifest &m) { step(m).inputBytes = 64; }},
    {"output outside", "outside its space",
     [](Manifest &m) { step(m).outputBytes = 64; }},
    {"function twice", "not unique",
     [](Manifest &m) { m.targets[0].functions[0].name = "step"; }},
    {"host outside", "lie outside the host space",
     [](Manifest &m) { park(m).hostBytes = 64; }},
    {"huge host", "too large", [](Manifest &m) { park(m).hostBytes = huge; }},
    {"kernel on the host", "a kernel cannot reach the host space",
     [](Manifest &m) { launch(m).args[0].space = Space::Host; }},
    {"fill of the host", "a fill cannot reach the host space",
     [](Manifest &m) { step(m).program[0].to.space = Space::Host; }},
    {"token twice", "its token is not its own",
     [](Manifest &m) { parked(m)[2].tokens = {0}; }},
    {"wait without a start", "waits for the token 9, which nothing started",
     [](Manifest &m) { parked(m)[3].tokens = {0, 1, 9}; }},
    {"wait before the start", "waits for the token 1, which nothing started",
     [](Manifest &m) { std::swap(parked(m)[2], parked(m)[3]); }},
    {"waited for twice", "waits for the token 1, which nothing started",
     [](Manifest &m) { parked(m)[3].tokens = {0, 1, 1}; }},
    {"never waited for", "nothing waits for the token 0",
     [](Manifest &m) { parked(m)[3].tokens = {1}; }},
    {"waited for outside of the repeat", "nothing waits for the token 2",
     [](Manifest &m) {
       park(m).program.push_back(parked(m)[7]);
       parked(m).erase(parked(m).begin() + 7);
     }},
    {"kernel index", "no kernel 99",
     [](Manifest &m) { launch(m).kernel = 99; }},
    {"negative blocks", "blocks", [](Manifest &m) { launch(m).blocks = -1; }},
    {"huge blocks", "blocks",
     [](Manifest &m) { launch(m).blocks = INT64_MAX; }},
    {"argument missing", "takes 3 arguments, not 2",
     [](Manifest &m) { launch(m).args.pop_back(); }},
    {"argument outside", "outside the arena space",
     [](Manifest &m) { launch(m).args[0].offset = 1 << 16; }},
    {"argument offset overflows", "outside the arena space",
     [](Manifest &m) {
       launch(m).args[0].offset = uint64_t(INT64_MAX) / 64 * 64;
     }},
    {"argument in an empty space", "outside the arena space",
     [](Manifest &m) { step(m).arenaBytes = 0; }},
    {"argument unaligned", "multiple of 64",
     [](Manifest &m) { launch(m).args[2].offset += 4; }},
    {"kernel argument huge", "too large",
     [](Manifest &m) { m.targets[0].kernels[3].args[0].bytes = huge; }},
    {"kernel argument larger than the slice", "outside the arena space",
     [](Manifest &m) { m.targets[0].kernels[3].args[2].bytes = 1 << 20; }},
    {"writes an input", "writes to the input space",
     [](Manifest &m) { launch(m).args[2] = {Space::Input, 0, 0}; }},
    {"writes a constant", "writes to the constant space",
     [](Manifest &m) {
       m.targets[0].functions[4].program[0].args[1] = {Space::Constant, 0, 0};
     }},
    {"stride leaves the space", "outside the input space",
     [](Manifest &m) { inRepeat(m).args[1].stride += 1024; }},
    {"stride overflows", "outside the input space",
     [](Manifest &m) { inRepeat(m).args[1].stride = INT64_MAX; }},
    {"more trips than inputs", "outside the input space",
     [](Manifest &m) { step(m).program[1].count = 3; }},
    {"repeat of nothing", "bad repeat count",
     [](Manifest &m) { step(m).program[1].count = 0; }},
    {"negative repeat", "bad repeat count",
     [](Manifest &m) { step(m).program[1].count = -5; }},
    {"endless repeat", "bad repeat count",
     [](Manifest &m) { step(m).program[1].count = INT64_MAX; }},
    {"nested repeats", "too long",
     [](Manifest &m) {
       Op op = step(m).program[1];
       op.count = 1 << 20;
       op.body = {step(m).program[0]};
       Op outer = op;
       outer.body = {op};
       Op outermost = op;
       outermost.body = {outer};
       step(m).program.push_back(outermost);
     }},
    {"copy outside", "outside the state space",
     [](Manifest &m) { step(m).program[5].from.offset = m.stateBytes; }},
    {"copy to an input", "writes to the input space",
     [](Manifest &m) { step(m).program[5].to.space = Space::Input; }},
    {"copy of everything", "outside",
     [](Manifest &m) { step(m).program[5].bytes = UINT64_MAX >> 1; }},
    {"fill outside", "outside the arena space",
     [](Manifest &m) { step(m).program[0].bytes = 1 << 30; }},
    {"huge scratch", "too much scratch",
     [](Manifest &m) { m.targets[0].kernels[0].scratch = huge; }},
    {"no symbol", "no symbol",
     [](Manifest &m) { m.targets[0].kernels[0].symbol.clear(); }},
    {"value outside", "lies outside the arena space",
     [](Manifest &m) {
       step(m).values = {{"x", "", Space::Arena, huge, 64, 0, 1, -1}};
     }},
    {"location", "out of range",
     [](Manifest &m) { m.targets[0].kernels[0].location = 1; }},
    {"location of an operation", "out of range",
     [](Manifest &m) { launch(m).location = 77; }},
};
} // namespace

static void expectRefused(const HostileCase &hostile,
                          const Manifest &manifest) {
  Result<Manifest> read = parseManifest(writeManifest(manifest), 64);
  ASSERT_FALSE(read.ok()) << hostile.name;
  EXPECT_NE(read.status().message().find(hostile.message), std::string::npos)
      << hostile.name << ": " << read.status().message();
}

TEST(Manifest, RefusesHostilePlans) {
  for (const HostileCase &hostile : hostileCases) {
    Manifest manifest = bigramManifest();
    hostile.change(manifest);
    expectRefused(hostile, manifest);
    // The whole way in, too.
    std::string bytes = bigramArtifact(manifest);
    EXPECT_FALSE(Model::parse(bytes.data(), bytes.size()).ok()) << hostile.name;
  }
}

// A kernel with a map of its table: 64 x 64 floats, boxes of 8 rows.
static Manifest cudaManifest() {
  Manifest manifest = bigramManifest();
  manifest.targets.push_back(cudaTarget(manifest.targets[0], "sm_90a", 4096));
  TensorMapDesc map;
  map.dtype = DType::F32;
  map.sizes = {64, 64};
  map.strides = {256};
  map.box = {32, 8};
  manifest.targets[1].kernels[1].params[0].map = map;
  manifest.targets[1].kernels[2].params[0].table = {
      {false, uint64_t(1) << 40}, {true, 0}, {true, 1}};
  return manifest;
}

TEST(Manifest, WritesWhatItReadsForCuda) {
  Manifest written = cudaManifest();
  std::string text = writeManifest(written);
  EXPECT_NE(text.find("\"map\":{\"dtype\":\"f32\",\"sizes\":[64,64],"
                      "\"strides\":[256],\"box\":[32,8],\"swizzle\":128}"),
            std::string::npos);
  EXPECT_NE(text.find("{\"table\":[1099511627776,[0],[1]]}"),
            std::string::npos);
  Result<Manifest> manifest = parseManifest(text, 64);
  ASSERT_TRUE(manifest.ok()) << manifest.status().message();
  EXPECT_EQ(writeManifest(*manifest), text);
  EXPECT_EQ(nvrtcMajor(manifest->targets[1]), 13u);
  // Two architectures, and kernels for the host, beside the CPU.
  written.targets.push_back(cudaTarget(written.targets[0], "sm_80", 4096));
  written.targets.push_back(cudaTarget(written.targets[0], "host", 4096));
  written.targets[3].nvrtc = "";
  EXPECT_TRUE(validate(written).ok()) << validate(written).message();
  EXPECT_EQ(nvrtcMajor(written.targets[3]), 0u);
}

namespace {
Target &cuda(Manifest &m) { return m.targets[1]; }
Kernel &mapped(Manifest &m) { return cuda(m).kernels[1]; }
TensorMapDesc &map(Manifest &m) { return *mapped(m).params[0].map; }

const HostileCase hostileCudaCases[] = {
    {"no architecture", "no CUDA architecture",
     [](Manifest &m) { cuda(m).isa = "x86-64-v3"; }},
    {"architecture with a tail", "no CUDA architecture",
     [](Manifest &m) { cuda(m).isa = "sm_90abc"; }},
    {"architecture without a number", "no CUDA architecture",
     [](Manifest &m) { cuda(m).isa = "sm_"; }},
    {"no compiler", "is no version of NVRTC",
     [](Manifest &m) { cuda(m).nvrtc = ""; }},
    {"odd compiler", "is no version of NVRTC",
     [](Manifest &m) { cuda(m).nvrtc = "13x"; }},
    {"huge compiler", "is no version of NVRTC",
     [](Manifest &m) { cuda(m).nvrtc = "4294967309.0"; }},
    {"image unaligned", "do not lie one behind the other",
     [](Manifest &m) { cuda(m).images[0].offset = 32; }},
    {"image empty", "do not lie one behind the other",
     [](Manifest &m) { cuda(m).images[0].bytes = 0; }},
    {"images overlap", "do not lie one behind the other",
     [](Manifest &m) { cuda(m).images.push_back({64, 64}); }},
    {"image overflows", "do not lie one behind the other",
     [](Manifest &m) {
       cuda(m).images.push_back({uint64_t(INT64_MAX) / 64 * 64, INT64_MAX});
       cuda(m).images.push_back({64, 64});
     }},
    {"no such image", "there is no image 1",
     [](Manifest &m) { mapped(m).image = 1; }},
    {"no threads", "blocks of 0 threads",
     [](Manifest &m) { mapped(m).threads = 0; }},
    {"too many threads", "blocks of 1025 threads",
     [](Manifest &m) { mapped(m).threads = 1025; }},
    {"too much shared memory", "232449 bytes of shared memory",
     [](Manifest &m) { mapped(m).shared = 232449; }},
    {"too many registers", "more than a processor has",
     [](Manifest &m) {
       mapped(m).threads = 1024;
       mapped(m).registers = 128;
     }},
    {"empty cluster", "clusters of 0 blocks",
     [](Manifest &m) { mapped(m).cluster = 0; }},
    {"huge cluster", "clusters of 32 blocks",
     [](Manifest &m) { mapped(m).cluster = 32; }},
    {"cluster does not divide", "a grid of 4 blocks in clusters of 8",
     [](Manifest &m) { mapped(m).cluster = 8; }},
    {"clusters of persistent blocks", "it is persistent, and has clusters",
     [](Manifest &m) {
       mapped(m).persistent = true;
       mapped(m).cluster = 2;
     }},
    {"cluster on Ampere", "clusters, which sm_80 has not",
     [](Manifest &m) {
       cuda(m).isa = "sm_80";
       mapped(m).cluster = 2;
     }},
    {"map on Ada", "a tensor map, which sm_89 has not",
     [](Manifest &m) { cuda(m).isa = "sm_89"; }},
    {"scratch", "scratch, which only CPU targets have",
     [](Manifest &m) { mapped(m).scratch = 64; }},
    {"no such argument", "parameter 2 names argument 5 of 5",
     [](Manifest &m) { mapped(m).params[2].buffer = 5; }},
    {"table with no such argument", "is a table with argument 9 of",
     [](Manifest &m) { cuda(m).kernels[2].params[0].table[1].value = 9; }},
    {"table and map", "is a tensor map and a table",
     [](Manifest &m) { mapped(m).params[0].table = {{true, 0}}; }},
    {"too long a table", "bytes of parameters, more than 32764",
     [](Manifest &m) { cuda(m).kernels[2].params[0].table.resize(4096); }},
    {"too many parameters", "bytes of parameters, more than 32764",
     [](Manifest &m) { mapped(m).params.resize(5000); }},
    {"grid", "a grid of 2147483648 blocks is too large",
     [](Manifest &m) {
       cuda(m).functions[1].program[2].blocks = int64_t(1) << 31;
     }},
    {"grid in a repeat", "a grid of 2147483648 blocks is too large",
     [](Manifest &m) {
       cuda(m).functions[1].program[1].body[0].blocks = int64_t(1) << 31;
     }},
    {"map of rank 0", "has rank 0", [](Manifest &m) { map(m).sizes.clear(); }},
    {"map of rank 6", "has rank 6",
     [](Manifest &m) { map(m).sizes.assign(6, 1); }},
    {"strides missing", "0 strides and 2 box extents for rank 2",
     [](Manifest &m) { map(m).strides.clear(); }},
    {"box of other rank", "1 strides and 3 box extents for rank 2",
     [](Manifest &m) { map(m).box.push_back(1); }},
    {"map outside", "reaches 16640 bytes far into an argument of 16384",
     [](Manifest &m) { map(m).sizes[1] = 65; }},
    {"map row outside", "reaches 16388 bytes far into an argument of 16384",
     [](Manifest &m) { map(m).sizes[0] = 65; }},
    {"map overflows", "outside of any memory",
     [](Manifest &m) {
       map(m).sizes[1] = uint64_t(1) << 32;
       map(m).strides[0] = (uint64_t(1) << 40) - 16;
     }},
    {"map of nothing", "a dimension of 0 elements",
     [](Manifest &m) { map(m).sizes[1] = 0; }},
    {"map too long", "a dimension of 4294967297 elements",
     [](Manifest &m) { map(m).sizes[1] = (uint64_t(1) << 32) + 1; }},
    {"stride", "a stride of 264 bytes",
     [](Manifest &m) { map(m).strides[0] = 264; }},
    {"huge stride", "no multiple of 16 below 2^40",
     [](Manifest &m) { map(m).strides[0] = uint64_t(1) << 40; }},
    {"empty box", "a box of 0 elements",
     [](Manifest &m) { map(m).box[1] = 0; }},
    {"large box", "a box of 257 elements",
     [](Manifest &m) { map(m).box[1] = 257; }},
    {"short rows", "box rows of 8 bytes, no multiple of 16",
     [](Manifest &m) { map(m).box[0] = 2; }},
    {"long rows", "box rows of 256 bytes under a swizzle of 128",
     [](Manifest &m) { map(m).box[0] = 64; }},
    {"swizzle", "a swizzle of 48 bytes",
     [](Manifest &m) { map(m).swizzle = 48; }},
};
} // namespace

TEST(Manifest, RefusesHostileCudaTargets) {
  for (const HostileCase &hostile : hostileCudaCases) {
    Manifest manifest = cudaManifest();
    hostile.change(manifest);
    expectRefused(hostile, manifest);
  }
  // What the manifest alone cannot show.
  std::string code(4095, 'x');
  ArtifactWriter writer;
  writer.add("manifest", writeManifest(cudaManifest()));
  writer.add("code.0", code);
  writer.add("code.1", code);
  writer.add("constants", std::string(64, '\0'));
  Result<std::string> file = writer.finish();
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(Model::parse(file->data(), file->size()).status().message(),
            "an image for sm_90a lies outside the section `code.1` of 4095 "
            "bytes");
}

TEST(Manifest, RefusesHostileCudaText) {
  const std::string text = writeManifest(cudaManifest());
  const std::pair<const char *, const char *> changes[] = {
      {"\"kind\":\"cuda\"", "\"kind\":\"rocm\""},
      {"\"kind\":\"cuda\"", "\"kind\":1"},
      {"\"nvrtc\":\"13.0.88\"", "\"nvrtc\":13"},
      {"\"images\":[", "\"images\":{},\"x\":["},
      {"\"images\":[{\"offset\":0", "\"images\":[{\"offset\":-64"},
      {"\"images\":[{", "\"images\":[7,{"},
      {"\"image\":0,", ""},
      {"\"threads\":64", "\"threads\":4294967296"},
      {"\"threads\":64", "\"threads\":-1"},
      {"\"params\":[", "\"x\":["},
      {"\"params\":[{\"buffer\":0", "\"params\":[{\"buffer\":-1"},
      {"\"params\":[{\"buffer\":0}", "\"params\":[0"},
      {"\"table\":[1099511627776", "\"table\":[-1"},
      {"\"table\":[1099511627776", "\"table\":[1.5"},
      {"\"table\":[1099511627776", "\"table\":[\"1\""},
      {"\"table\":[1099511627776,[0]", "\"table\":[[0,1]"},
      {"\"table\":[1099511627776,[0]", "\"table\":[[-1]"},
      {"\"table\":[1099511627776,[0],[1]]", "\"table\":[]"},
      {"\"table\":[1099511627776,[0],[1]]", "\"table\":7"},
      {"\"map\":{", "\"map\":[],\"x\":{"},
      {"\"map\":{\"dtype\":\"f32\"", "\"map\":{\"dtype\":\"f8\""},
      {"\"sizes\":[64", "\"sizes\":[\"64\""},
      {"\"strides\":[256]", "\"strides\":[-256]"},
      {"\"box\":[32", "\"box\":[4294967328"},
      {"\"swizzle\":128", "\"swizzle\":128.0"},
  };
  for (const auto &[from, to] : changes) {
    std::string changed = text;
    size_t at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    changed.replace(at, std::string(from).size(), to);
    EXPECT_FALSE(parseManifest(changed, 64).ok()) << from << " -> " << to;
  }
}

// Text that no Manifest could produce.
TEST(Manifest, RefusesHostileText) {
  const std::string text = writeManifest(bigramManifest());
  const std::pair<const char *, const char *> changes[] = {
      {"\"format\":1", "\"format\":2"},
      {"\"format\":1", "\"format\":\"1\""},
      {"\"format\":1,", ""},
      {"\"model\":\"bigram\"", "\"model\":7"},
      {"\"hyper\":{", "\"hyper\":[],\"x\":{"},
      {"\"state_bytes\":", "\"state_bytes\":-"},
      {"\"state_bytes\":", "\"state_bytes\":0.5,\"x\":"},
      {"\"state_bytes\":", "\"state_bytes\":1e3,\"x\":"},
      {"\"dtype\":\"f32\"", "\"dtype\":\"f33\""},
      {"\"dtype\":\"f32\"", "\"dtype\":32"},
      {"\"shape\":[64,64]", "\"shape\":[64,\"64\"]"},
      {"\"shape\":[64,64]", "\"shape\":4096"},
      {"\"save\":true", "\"save\":1"},
      {"[\"bigram.tarn\",3,5]", "[\"bigram.tarn\",3]"},
      {"[\"bigram.tarn\",3,5]", "[3,\"bigram.tarn\",5]"},
      {"\"op\":\"launch\"", "\"op\":\"lunch\""},
      {"\"access\":[\"r\"", "\"access\":[\"x\""},
      {"\"access\":[\"r\"", "\"access\":[\"r\",\"r\""},
      {"\"access\":[\"r\"", "\"access\":[7"},
      {"\"access\":[\"r\"", "\"in_place\":[[0]],\"access\":[\"r\""},
      {"\"access\":[\"r\"", "\"in_place\":[[0,99]],\"access\":[\"r\""},
      {"\"access\":[\"r\"", "\"in_place\":[0,1],\"access\":[\"r\""},
      {"\"arg_bytes\":[8", "\"arg_bytes\":[-8"},
      {"\"arg_bytes\":[8", "\"arg_bytes\":[8,8"},
      {"\"program\":[", "\"values\":[1],\"program\":["},
      {"[\"state\",0]", "[\"state\",-64]"},
      {"[\"state\",0]", "[\"heap\",0]"},
      {"[\"state\",0]", "[\"state\"]"},
      {"[\"state\",0]", "[\"state\",0,-1]"},
      {"[\"state\",0]", "[\"state\",0,0,0]"},
      {"[\"state\",0]", "[\"state\",99999999999999999999]"},
      {"\"kernel\":0", "\"kernel\":4294967296"},
      {"\"kernel\":0", "\"kernel\":-1"},
      {"\"targets\":[", "\"targets\":{},\"x\":["},
      {"\"targets\":[", "\"targets\":[1,"},
      {"\"op\":\"fill\"", "\"value\":256,\"op\":\"fill\""},
      {"\"count\":2", "\"count\":2,\"count\":2"},
  };
  for (const auto &[from, to] : changes) {
    std::string changed = text;
    size_t at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    changed.replace(at, std::string(from).size(), to);
    Result<Manifest> read = parseManifest(changed, 64);
    EXPECT_FALSE(read.ok()) << from << " -> " << to;
    EXPECT_EQ(read.status().message().compare(0, 8, "manifest"), 0)
        << read.status().message();
  }
  for (size_t size = 0; size < text.size(); size += 7)
    EXPECT_FALSE(parseManifest(text.substr(0, size), 64).ok()) << size;
}

TEST(Manifest, ErrorsNameThePlace) {
  std::string text = writeManifest(bigramManifest());
  size_t at = text.find("\"dtype\":\"i32\"");
  text.replace(at, 13, "\"dtype\":\"i33\"");
  EXPECT_EQ(parseManifest(text, 64).status().message(),
            "manifest.state[2]: `i33` is no element type");
}

// Whatever the text, the answer is a manifest that validates or an error.
TEST(Manifest, SurvivesRandomChanges) {
  const std::string text = writeManifest(cudaManifest());
  const std::string pieces[] = {
      "-1", "9223372036854775807", "{",    "}",     "[", "]",
      "0",  "\"arena\"",           "null", "1e308", ",", "\"state\""};
  std::mt19937 random(3);
  int accepted = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string changed = text;
    for (unsigned edits = random() % 3 + 1; edits; --edits) {
      size_t at = random() % changed.size();
      switch (random() % 4) {
      case 0:
        changed[at] = static_cast<char>(random());
        break;
      case 1:
        changed.erase(at, random() % 20);
        break;
      case 2:
        changed.insert(at, pieces[random() % std::size(pieces)]);
        break;
      default: // a digit, so that the text stays JSON
        if (size_t digit = changed.find_first_of("0123456789", at);
            digit != std::string::npos)
          changed[digit] = static_cast<char>('0' + random() % 10);
      }
    }
    Result<Manifest> read = parseManifest(changed);
    if (!read.ok())
      continue;
    ++accepted;
    EXPECT_TRUE(validate(*read).ok());
    EXPECT_TRUE(parseManifest(writeManifest(*read)).ok());
  }
  EXPECT_GT(accepted, 10);
}
