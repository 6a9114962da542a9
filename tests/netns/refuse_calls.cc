// refuse_calls [--only CALL] COMMAND...: runs a command to which the kernel refuses io_uring and
// bpf() with EPERM, as Docker's default seccomp profile does. --only: the one call of kSingle, with
// ENOSYS, as a profile that is older than the call does.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string_view>

namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "add the seccomp name of this architecture"
#endif

constexpr sock_filter load(std::size_t offset) {
  return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<unsigned>(offset)};
}
constexpr sock_filter answer(unsigned action) { return {BPF_RET | BPF_K, 0, 0, action}; }
/// Skips `skip` instructions if the loaded word is `value`.
constexpr sock_filter skip_if(unsigned value, unsigned char skip) {
  return {BPF_JMP | BPF_JEQ | BPF_K, skip, 0, value};
}

struct Single {
  std::string_view name;
  unsigned number;
};
constexpr std::array<Single, 3> kSingle{{{"io_uring_enter", SYS_io_uring_enter},
                                         {"sendmmsg", SYS_sendmmsg},
                                         {"recvmmsg", SYS_recvmmsg}}};

bool install(std::span<sock_filter> filter) {
  const sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                           .filter = filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool refuse() {
  std::array filter{
      load(offsetof(seccomp_data, arch)), skip_if(kArchitecture, 1),
      answer(SECCOMP_RET_ALLOW),          load(offsetof(seccomp_data, nr)),
      skip_if(SYS_io_uring_setup, 4),     skip_if(SYS_io_uring_enter, 3),
      skip_if(SYS_io_uring_register, 2),  skip_if(SYS_bpf, 1),
      answer(SECCOMP_RET_ALLOW),          answer(SECCOMP_RET_ERRNO | EPERM),
  };
  return install(filter);
}

bool refuse_only(std::string_view name) {
  for (const Single& single : kSingle) {
    if (single.name != name) continue;
    std::array filter{
        load(offsetof(seccomp_data, arch)), skip_if(kArchitecture, 1), answer(SECCOMP_RET_ALLOW),
        load(offsetof(seccomp_data, nr)),   skip_if(single.number, 1), answer(SECCOMP_RET_ALLOW),
        answer(SECCOMP_RET_ERRNO | ENOSYS),
    };
    return install(filter);
  }
  errno = EINVAL;
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const bool is_single = argc > 3 && std::string_view{argv[1]} == "--only";
  const int command = is_single ? 3 : 1;
  if (argc <= command) {
    std::fputs("usage: refuse_calls [--only CALL] COMMAND [ARGUMENT]...\n", stderr);
    return 2;
  }
  if (!(is_single ? refuse_only(argv[2]) : refuse())) {
    std::perror("refuse_calls: seccomp");
    return 1;
  }
  execvp(argv[command], argv + command);
  std::perror(argv[command]);
  return 127;
}
