#include "io/bpf/bpf.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace culvert::io {
namespace {

constexpr char kLicense[] = "MIT";
constexpr std::size_t kLogBytes = 64 * 1024;

long bpf_call(bpf_cmd command, bpf_attr& attributes) noexcept {
  return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

template <class T>
std::uint64_t address_of(const T* pointer) noexcept {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

/// Copies at most 15 bytes; the terminating zero is there already.
void set_name(char (&field)[BPF_OBJ_NAME_LEN], std::string_view name) noexcept {
  name.substr(0, sizeof field - 1).copy(field, sizeof field - 1);
}

std::string advice_on(int code) {
  switch (code) {
    case EPERM:
      return "needs CAP_BPF and CAP_NET_ADMIN outside of any user namespace, and a seccomp filter "
             "that lets bpf() pass";
    case ENOSYS:
      return "this kernel has no bpf()";
    default:
      return {};
  }
}

Unexpected<Error> fail(int code, std::string operation, std::string_view object,
                       std::string advice) {
  return Unexpected{Error{.code = code,
                          .operation = std::move(operation),
                          .object = std::string{object},
                          .advice = std::move(advice)}};
}

/// The last line of the verifier's log with a reason. The lines after it ("processed ...") are
/// statistics.
std::string last_line(std::string_view log) {
  while (!log.empty()) {
    while (!log.empty() && log.back() == '\n') log.remove_suffix(1);
    const std::size_t start = log.rfind('\n') + 1;  // npos + 1 is 0
    const std::string_view line = log.substr(start);
    if (!line.starts_with("processed ")) return std::string{line};
    log = log.substr(0, start);
  }
  return {};
}

/// A map with values of one byte, and memory only for the keys that are in it.
Result<Fd> create_sparse_map(bpf_map_type type, std::uint32_t key_bytes, std::uint32_t entries,
                             std::string_view name) {
  bpf_attr attributes{};
  attributes.map_type = type;
  attributes.key_size = key_bytes;
  attributes.value_size = 1;
  attributes.max_entries = entries;
  attributes.map_flags = BPF_F_NO_PREALLOC;
  set_name(attributes.map_name, name);
  Fd map{static_cast<int>(bpf_call(BPF_MAP_CREATE, attributes))};
  if (!map) return fail(errno, "create BPF map", name, advice_on(errno));
  return map;
}

}  // namespace

Result<Fd> load_program(bpf_prog_type type, std::span<const bpf_insn> instructions,
                        std::string_view name) {
  bpf_attr attributes{};
  attributes.prog_type = type;
  attributes.insns = address_of(instructions.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size());
  attributes.license = address_of(kLicense);
  set_name(attributes.prog_name, name);
  Fd program{static_cast<int>(bpf_call(BPF_PROG_LOAD, attributes))};
  if (program) return program;
  const int code = errno;
  // Only a second attempt asks for the log, since writing it takes longer than loading.
  std::string log(kLogBytes, '\0');
  attributes.log_level = 1;
  attributes.log_buf = address_of(log.data());
  attributes.log_size = static_cast<std::uint32_t>(log.size());
  program.reset(static_cast<int>(bpf_call(BPF_PROG_LOAD, attributes)));
  if (program) return program;
  std::string advice = last_line(log.c_str());
  return fail(code, "load BPF program", name, advice.empty() ? advice_on(code) : advice);
}

Result<Fd> create_array_map(std::uint32_t value_bytes, std::uint32_t entries, std::string_view name,
                            std::uint32_t flags) {
  bpf_attr attributes{};
  attributes.map_flags = flags;
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = sizeof(std::uint32_t);
  attributes.value_size = value_bytes;
  attributes.max_entries = entries;
  set_name(attributes.map_name, name);
  Fd map{static_cast<int>(bpf_call(BPF_MAP_CREATE, attributes))};
  if (!map) return fail(errno, "create BPF map", name, advice_on(errno));
  return map;
}

Result<void> update_element(const Fd& map, std::uint32_t index, std::span<const std::byte> value) {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(map.get());
  attributes.key = address_of(&index);
  attributes.value = address_of(value.data());
  if (bpf_call(BPF_MAP_UPDATE_ELEM, attributes) == 0) return {};
  return fail(errno, "write to BPF map", "element " + std::to_string(index), advice_on(errno));
}

Result<Fd> create_set(std::uint32_t key_bytes, std::uint32_t entries, std::string_view name) {
  return create_sparse_map(BPF_MAP_TYPE_HASH, key_bytes, entries, name);
}

Result<Fd> create_prefix_map(std::uint32_t key_bytes, std::uint32_t entries,
                             std::string_view name) {
  return create_sparse_map(BPF_MAP_TYPE_LPM_TRIE, key_bytes, entries, name);
}

Result<void> add_key(const Fd& map, std::span<const std::byte> key, std::byte value) {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(map.get());
  attributes.key = address_of(key.data());
  attributes.value = address_of(&value);
  if (bpf_call(BPF_MAP_UPDATE_ELEM, attributes) == 0) return {};
  return fail(errno, "write to BPF map", "a key", advice_on(errno));
}

void remove_key(const Fd& map, std::span<const std::byte> key) noexcept {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(map.get());
  attributes.key = address_of(key.data());
  bpf_call(BPF_MAP_DELETE_ELEM, attributes);
}

Result<Fd> attach(const Fd& program, TcxHook hook, unsigned interface_index) {
  constexpr std::uint32_t kInFront = 1 << 3;  // BPF_F_BEFORE
  bpf_attr attributes{};
  attributes.link_create.flags = hook == TcxHook::egress ? kInFront : 0;
  attributes.link_create.prog_fd = static_cast<std::uint32_t>(program.get());
  attributes.link_create.target_ifindex = interface_index;
  attributes.link_create.attach_type = static_cast<std::uint32_t>(hook);
  Fd link{static_cast<int>(bpf_call(BPF_LINK_CREATE, attributes))};
  if (link) return link;
  const int code = errno;
  return fail(code, "attach BPF program to", "interface " + std::to_string(interface_index),
              code == EINVAL ? "needs Linux 6.6" : advice_on(code));
}

bool is_attached(const Fd& link, unsigned interface_index) noexcept {
  struct {  // struct bpf_link_info; its member for tcx is newer than the headers of Debian 12
    std::uint32_t type, id, program_id, padding, interface_index, attach_type;
  } info{};
  bpf_attr attributes{};
  attributes.info.bpf_fd = static_cast<std::uint32_t>(link.get());
  attributes.info.info_len = sizeof info;
  attributes.info.info = address_of(&info);
  return bpf_call(BPF_OBJ_GET_INFO_BY_FD, attributes) == 0 &&
         info.interface_index == interface_index;
}

Result<void> TcxLinks::attach(const Fd& program, unsigned interface_index) {
  const auto before = links_.find(interface_index);
  if (before != links_.end() && is_attached(before->second, interface_index)) return {};
  auto link = io::attach(program, hook_, interface_index);
  if (!link) return Unexpected{link.error()};
  links_.insert_or_assign(interface_index, std::move(*link));
  return {};
}

}  // namespace culvert::io
