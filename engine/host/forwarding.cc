#include "engine/host/forwarding.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "io/fd.h"
#include "io/sort_unique.h"

namespace culvert::host {
namespace {

const std::string kIpv6 = "/proc/sys/net/ipv6/conf/";
const std::string kIpv4 = "/proc/sys/net/ipv4/conf/";

/// The first line of a file, without the newline; empty: there is no such file.
std::string read_value(const std::string& path) {
  std::ifstream file{path};
  std::string value;
  std::getline(file, value);
  return value;
}

int write_value(const std::string& path, const std::string& value) noexcept {
  const io::Fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file) return errno;
  const ssize_t written = ::write(file.get(), value.data(), value.size());
  return written == static_cast<ssize_t>(value.size()) ? 0 : errno;
}

/// The interfaces of the IPv6 default routes: lines "0…0 00 … DEVICE". The kernel's unreachable
/// route by `lo` is left out.
std::vector<std::string> ipv6_uplinks() {
  std::vector<std::string> names;
  std::ifstream file{"/proc/net/ipv6_route"};
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(std::string(32, '0') + " 00 ")) continue;
    std::string name = line.substr(line.find_last_of(' ') + 1);
    if (name != "lo") names.push_back(std::move(name));
  }
  return names;
}

/// The interfaces of the IPv4 default routes: lines "DEVICE 00000000 GATEWAY FLAGS REFCNT USE
/// METRIC 00000000 …".
std::vector<std::string> ipv4_uplinks() {
  std::vector<std::string> names;
  std::ifstream file{"/proc/net/route"};
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields{line};
    std::string name, destination, skipped, mask;
    fields >> name >> destination;
    for (int i = 0; i < 5; ++i) fields >> skipped;
    fields >> mask;
    if (destination == "00000000" && mask == "00000000") names.push_back(name);
  }
  return names;
}

bool has_all(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

}  // namespace

ForwardingSettings forwarding_settings(std::span<const DeviceSettings* const> devices,
                                       std::span<const NdpConfig> ndp) {
  ForwardingSettings wanted;
  for (const DeviceSettings* device : devices) {
    if (!device->forwarding) continue;
    wanted.ipv6.push_back(device->config.device);
    if (has_ipv4_prefix(device->config.tunnels)) wanted.ipv4.push_back(device->config.device);
  }
  if (!wanted.ipv6.empty()) {
    for (const NdpConfig& each : ndp) wanted.ipv6.push_back(each.interface);
    for (std::string& name : ipv6_uplinks()) wanted.ipv6.push_back(std::move(name));
  }
  if (!wanted.ipv4.empty()) {
    for (std::string& name : ipv4_uplinks()) wanted.ipv4.push_back(std::move(name));
  }
  io::sort_unique(wanted.ipv6);
  io::sort_unique(wanted.ipv4);
  return wanted;
}

std::string forwarding_warning(const DeviceSettings& settings) {
  if (settings.forwarding) return {};
  const std::string& device = settings.config.device;
  const auto sentence = [](const std::string& version, const std::string& sysctl) {
    return "the kernel does not forward " + version +
           ", so the prefixes behind the tunnels can reach only this host: set forwarding, or "
           "run sysctl -w " +
           sysctl + "=1";
  };
  if (has_ipv6_prefix(settings.config.tunnels) && read_value(kIpv6 + "all/forwarding") == "0" &&
      read_value(kIpv6 + device + "/force_forwarding") != "1") {
    return sentence("IPv6", "net.ipv6.conf.all.forwarding");
  }
  if (has_ipv4_prefix(settings.config.tunnels) && read_value(kIpv4 + device + "/forwarding") == "0")
    return sentence("IPv4", "net.ipv4.ip_forward");
  return {};
}

std::string ndp_forwarding_warning(const NdpConfig& ndp,
                                   std::span<const DeviceSettings* const> devices) {
  const bool sets_forwarding = std::any_of(
      devices.begin(), devices.end(), [](const DeviceSettings* each) { return each->forwarding; });
  const bool is_for_tunnels =
      !devices.empty() && std::all_of(ndp.rules.begin(), ndp.rules.end(), [](const NdpRule& rule) {
        return rule.answer == NdpAnswer::automatic;
      });
  if (sets_forwarding || is_for_tunnels || read_value(kIpv6 + "all/forwarding") != "0" ||
      read_value(kIpv6 + ndp.interface + "/force_forwarding") == "1")
    return {};
  return "ndp " + ndp.interface +
         ": the kernel does not forward IPv6, so hosts behind this one cannot be reached though "
         "their solicitations are answered: run sysctl -w net.ipv6.conf.all.forwarding=1";
}

/// Writes a sysctl and saves the previous value.
Result<void> ForwardingGuard::write(const std::string& path, const std::string& value) {
  std::string before = read_value(path);
  if (before.empty() || before == value) return {};  // no such interface, or nothing to change
  if (const int code = write_value(path, value); code != 0) {
    if (code == ENOENT) return {};
    return Unexpected{Error{.code = code,
                            .operation = "enable forwarding: write",
                            .object = path,
                            .advice = "in a container /proc/sys is often read-only: set the sysctl "
                                      "before culvert starts, and leave out `forwarding`"}};
  }
  saved_.push_back({path, std::move(before)});
  return {};
}

Result<void> ForwardingGuard::keep_accepting_advertisements(const std::string& interface) {
  const std::string folder = kIpv6 + interface + "/";
  const bool accepts =
      read_value(folder + "accept_ra") == "1" && read_value(folder + "forwarding") == "0";
  return accepts ? write(folder + "accept_ra", "2") : Result<void>{};
}

/// Sets all.forwarding, and gives every interface that did not forward its own values back before
/// it returns. In between accept_ra is 2, so that no interface loses its default route.
Result<void> ForwardingGuard::switch_on_all() {
  if (read_value(kIpv6 + "all/forwarding") != "0") return {};
  std::vector<Saved> others;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{kIpv6, error}) {
    if (entry.path().filename() == "all") continue;
    const std::string forwarding = entry.path() / "forwarding";
    const std::string accept_ra = entry.path() / "accept_ra";
    if (read_value(forwarding) != "0") {
      // Restoring `all` to 0 switches this one off as well; so it is restored after `all`.
      saved_.push_back({forwarding, read_value(forwarding)});
      continue;
    }
    others.push_back({forwarding, "0"});
    if (read_value(accept_ra) != "1") continue;
    others.push_back({accept_ra, "1"});
    write_value(accept_ra, "2");
  }
  auto done = write(kIpv6 + "all/forwarding", "1");
  for (const auto& [path, value] : others) write_value(path, value);
  return done;
}

/// accept_ra of all interfaces is written first: where it is 1, forwarding drops the learned
/// default routes. For the same reason it is restored last.
Result<void> ForwardingGuard::switch_on(const ForwardingSettings& wanted) {
  for (const std::string& interface : wanted.ipv6) {
    if (auto done = keep_accepting_advertisements(interface); !done) return done;
  }
  const bool forces = may_force_ && !read_value(kIpv6 + "all/force_forwarding").empty();
  if (!wanted.ipv6.empty() && !forces) {
    if (auto done = switch_on_all(); !done) return done;
  }
  for (const std::string& interface : wanted.ipv6) {
    if (auto done = write(kIpv6 + interface + "/forwarding", "1"); !done) return done;
    if (!forces) continue;
    if (auto done = write(kIpv6 + interface + "/force_forwarding", "1"); !done) return done;
  }
  for (const std::string& interface : wanted.ipv4) {
    if (auto done = write(kIpv4 + interface + "/forwarding", "1"); !done) return done;
  }
  return {};
}

Result<void> ForwardingGuard::widen(const ForwardingSettings& wanted) {
  ForwardingSettings both = applied_;
  both.ipv6.insert(both.ipv6.end(), wanted.ipv6.begin(), wanted.ipv6.end());
  both.ipv4.insert(both.ipv4.end(), wanted.ipv4.begin(), wanted.ipv4.end());
  io::sort_unique(both.ipv6);
  io::sort_unique(both.ipv4);
  return set(both);
}

Result<void> ForwardingGuard::set(const ForwardingSettings& wanted) {
  if (wanted == applied_) return {};
  if (!has_all(wanted.ipv6, applied_.ipv6) || !has_all(wanted.ipv4, applied_.ipv4)) restore();
  auto done = switch_on(wanted);
  if (!done) return restore(), done;
  applied_ = wanted;
  return done;
}

void ForwardingGuard::restore() noexcept {
  while (!saved_.empty()) {
    write_value(saved_.back().path, saved_.back().value);
    saved_.pop_back();
  }
  applied_ = {};
}

}  // namespace culvert::host
