#include "io/bpf/bpf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <span>

namespace culvert::io {
namespace {

using testing::HasSubstr;
using testing::Not;

/// What the program returns for a packet of 64 zeros.
std::optional<std::uint32_t> run(const Fd& program) {
  std::array<std::byte, 64> packet{};
  bpf_attr attributes{};
  attributes.test.prog_fd = static_cast<std::uint32_t>(program.get());
  attributes.test.data_in = reinterpret_cast<std::uintptr_t>(packet.data());
  attributes.test.data_size_in = packet.size();
  if (::syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attributes, sizeof attributes) != 0) return {};
  return attributes.test.retval;
}

class Bpf : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto map = create_array_map(4, 1, "probe");
    if (!map && map.error().code == EPERM) GTEST_SKIP() << map.error().message();
  }
};

TEST_F(Bpf, RunsWhatIsLoaded) {
  const std::array program{bpf::compute(BPF_MOV, BPF_REG_0, 40),
                           bpf::jump_if(BPF_JEQ, BPF_REG_0, 40, 2),
                           bpf::compute(BPF_MOV, BPF_REG_0, 1000),
                           bpf::jump(2),
                           bpf::compute(BPF_MOV, BPF_REG_2, 2),
                           bpf::compute_with(BPF_ADD, BPF_REG_0, BPF_REG_2),
                           bpf::exit()};
  const auto loaded = load_program(BPF_PROG_TYPE_SOCKET_FILTER, program, "a_name_too_long_for_it");
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(run(*loaded), 42u);
}

TEST_F(Bpf, ReadsWhatWasWrittenToAMap) {
  const auto map = create_array_map(4, 3, "numbers");
  ASSERT_TRUE(map) << map.error().message();
  const std::uint32_t value = 77;
  ASSERT_TRUE(update_element(*map, 2, std::as_bytes(std::span{&value, 1})));
  const std::array program{bpf::compute(BPF_MOV, BPF_REG_2, 2),
                           bpf::store(BPF_W, BPF_REG_10, -4, BPF_REG_2),
                           bpf::compute_with(BPF_MOV, BPF_REG_2, BPF_REG_10),
                           bpf::compute(BPF_ADD, BPF_REG_2, -4),
                           bpf::load_map(BPF_REG_1, map->get()),
                           bpf::load_map_end(),
                           bpf::call(BPF_FUNC_map_lookup_elem),
                           bpf::jump_if(BPF_JEQ, BPF_REG_0, 0, 1),
                           bpf::load(BPF_W, BPF_REG_0, BPF_REG_0, 0),
                           bpf::exit()};
  const auto loaded = load_program(BPF_PROG_TYPE_SOCKET_FILTER, program, "reads_a_map");
  ASSERT_TRUE(loaded) << loaded.error().message();
  EXPECT_EQ(run(*loaded), 77u);
}

TEST_F(Bpf, SaysWhatTheVerifierHasAgainstAProgram) {
  const std::array reads_nothing{bpf::load(BPF_W, BPF_REG_0, BPF_REG_5, 0), bpf::exit()};
  const auto loaded = load_program(BPF_PROG_TYPE_SOCKET_FILTER, reads_nothing, "bad");
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message(), HasSubstr("load BPF program bad: EACCES"));
  EXPECT_THAT(loaded.error().advice, HasSubstr("R5 !read_ok"));
  EXPECT_THAT(loaded.error().advice, Not(HasSubstr("processed")));
}

TEST_F(Bpf, NamesTheElementThatIsNotThere) {
  const auto map = create_array_map(4, 1, "one");
  ASSERT_TRUE(map);
  const std::uint32_t value = 0;
  const auto updated = update_element(*map, 1, std::as_bytes(std::span{&value, 1}));
  ASSERT_FALSE(updated);
  EXPECT_EQ(updated.error().code, E2BIG);
  EXPECT_THAT(updated.error().message(), HasSubstr("element 1"));
}

}  // namespace
}  // namespace culvert::io
