#include "engine/ndp/ndp_proxy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "engine/ndp/ndp_loop.h"
#include "engine/ndp/ndp_rules.h"
#include "io/bpf/ndp_bypass_program.h"
#include "io/ndp/ndp_groups.h"
#include "io/ndp/ndp_sockets.h"
#include "io/random.h"
#include "io/sort_unique.h"
#include "proto/ndp.h"

namespace culvert {
namespace {

using proto::Ipv6Address;

/// An unopened socket if no rule has `probe`.
Result<io::ProbeSocket> open_probe(const NdpConfig& config) {
  return has_probe(config) ? io::ProbeSocket::open() : io::ProbeSocket{};
}

Result<void> check_unchanged(const NdpConfig& before, const NdpConfig& after) {
  const auto refuse = [](std::string object) {
    return Unexpected{Error{.code = 0,
                            .operation = "change",
                            .object = std::move(object),
                            .advice = "cannot change while it runs: stop and start again"}};
  };
  if (after.interface != before.interface) return refuse("interface " + after.interface);
  if (after.on_link != before.on_link) return refuse("on_link " + std::to_string(after.on_link));
  if (after.probe.cache != before.probe.cache)
    return refuse("probe cache " + std::to_string(after.probe.cache));
  return {};
}

// Only NdpLoop::call() accesses the responder and its sockets. `mutex_` protects everything else.
class Proxy final : public NdpProxy {
 public:
  Proxy(NdpConfig config, io::NdpSockets sockets, std::uint64_t seed,
        std::unique_ptr<NdpRoutes> routes)
      : config_(std::move(config)),
        sockets_(std::move(sockets)),
        routes_(std::move(routes)),
        loop_(config_, sockets_, seed, routes_.get()) {
    renew_rules();
  }
  ~Proxy() override { stop(); }

  Result<void> start() override {
    const std::lock_guard lock{mutex_};
    return loop_.start(config_.interface);
  }
  void stop() override {
    const std::lock_guard lock{mutex_};
    loop_.stop();
    loop_.call([this] { loop_.responder().unwire(); });
  }

  Result<void> apply(const NdpConfig& config) override;
  Result<void> set_interface(const NdpInterface& interface) override;
  bool is_bound() const override;
  void lose_interface() override;
  void set_tunnel_prefixes(std::vector<NdpTunnelPrefix> prefixes) override;
  void set_on_link(std::vector<NdpNeighbor> neighbors) override;
  void set_kernel_routes(NdpKernelRoutes routes) override;
  void set_rule_interfaces(NdpInterfaces interfaces) override;
  NdpStatus status() const override;

 private:
  void lose();
  bool has_bound_socket() const;
  /// Swaps in the socket of another interface. Only inside NdpLoop::call().
  void replace(io::NdpSocket& socket) noexcept {
    sockets_.set_socket(socket);
    loop_.drop_pending();
  }
  void renew_rules();
  void renew_bypass();
  Result<void> open_bypass();
  void renew_membership();
  void join(const std::vector<Ipv6Address>& targets);
  void join_all_multicast(const std::string& reason);
  void announce_new();
  std::string name_of(unsigned rule_interface_index) const;
  void log(LogLevel level, const std::string& text) const {
    if (config_.log) config_.log(level, "ndp " + config_.interface + ": " + text);
  }

  mutable std::mutex mutex_;
  NdpConfig config_;
  NdpInterface interface_;
  std::vector<NdpTunnelPrefix> prefixes_;
  NdpKernelRoutes kernel_;
  NdpInterfaces rule_interfaces_;
  std::optional<io::NdpBypassProgram> bypass_;  ///< none: no interface, or BPF is refused
  bool lacks_bypass_ = false;                   ///< that BPF is refused is logged
  io::NdpGroups groups_;
  std::string membership_ = "the interface is not there";
  NdpTargets targets_;
  std::set<Ipv6Address> served_;  ///< targets that have been announced
  io::NdpSockets sockets_;
  std::unique_ptr<NdpRoutes> routes_;
  mutable NdpLoop loop_;
};

Result<void> Proxy::apply(const NdpConfig& config) {
  const std::lock_guard lock{mutex_};
  if (auto valid = validate(config); !valid) return valid;
  if (auto same = check_unchanged(config_, config); !same) return same;
  const bool needs_probe = has_probe(config) && !has_probe(config_);
  auto probe = needs_probe ? open_probe(config) : io::ProbeSocket{};
  if (!probe) return Unexpected{probe.error()};
  config_ = config;
  loop_.call([&] {
    loop_.responder().apply(config_);
    loop_.set_delay(config_.delay);
    if (needs_probe) sockets_.set_probe(*probe);
  });
  renew_bypass();
  renew_rules();
  return {};
}

Result<void> Proxy::set_interface(const NdpInterface& interface) {
  const std::lock_guard lock{mutex_};
  const bool is_other = interface.index != interface_.index || !has_bound_socket();
  io::NdpSocket socket;
  if (is_other) {
    auto opened = io::NdpSocket::open(interface.index);
    if (!opened) {
      lose();
      return Unexpected{opened.error()};
    }
    socket = std::move(*opened);
  }
  // Neighbors that have cached the old link-layer address must learn the new one: announce all
  // targets again.
  if (is_other || interface.address != interface_.address) served_.clear();
  if (is_other) groups_.leave();
  interface_ = interface;
  NdpInterface replaced = interface;
  loop_.call([&] {
    loop_.responder().set_interface(replaced);
    if (is_other) replace(socket);
  });
  renew_bypass();
  renew_membership();
  announce_new();
  return {};
}

bool Proxy::is_bound() const {
  const std::lock_guard lock{mutex_};
  return has_bound_socket();
}

bool Proxy::has_bound_socket() const {
  bool is_bound = false;
  loop_.call([&] { is_bound = sockets_.is_bound_to(interface_.index); });
  return is_bound;
}

void Proxy::lose_interface() {
  const std::lock_guard lock{mutex_};
  lose();
}

void Proxy::lose() {
  interface_ = {};
  NdpInterface replaced;
  io::NdpSocket socket;
  loop_.call([&] {
    loop_.responder().set_interface(replaced);
    replace(socket);
  });
  served_.clear();
  bypass_.reset();
  renew_membership();
}

void Proxy::set_tunnel_prefixes(std::vector<NdpTunnelPrefix> prefixes) {
  const std::lock_guard lock{mutex_};
  prefixes_ = std::move(prefixes);
  renew_rules();
}

void Proxy::set_kernel_routes(NdpKernelRoutes routes) {
  const std::lock_guard lock{mutex_};
  if (routes == kernel_) return;
  const bool has_other_prefixes = routes.prefixes != kernel_.prefixes;
  kernel_ = std::move(routes);
  auto gateways = kernel_.gateways;
  loop_.call([&] { loop_.responder().set_gateways(gateways); });
  if (has_other_prefixes) renew_rules();
}

void Proxy::set_rule_interfaces(NdpInterfaces interfaces) {
  const std::lock_guard lock{mutex_};
  if (interfaces == rule_interfaces_) return;
  rule_interfaces_ = std::move(interfaces);
  renew_rules();
}

void Proxy::set_on_link(std::vector<NdpNeighbor> neighbors) {
  const std::lock_guard lock{mutex_};
  io::sort_unique(neighbors);
  if (neighbors.size() > kMaxNdpOnLink) neighbors.resize(kMaxNdpOnLink);
  loop_.call([&] { loop_.responder().set_on_link(neighbors); });
}

void Proxy::renew_rules() {
  NdpRules rules{config_, prefixes_, kernel_.prefixes, rule_interfaces_};
  std::vector<proto::Ipv6Prefix> leading = kernel_.prefixes;
  for (const NdpTunnelPrefix& tunnel : prefixes_) leading.push_back(tunnel.prefix);
  targets_ = ndp_targets(config_, leading, std::max(kMaxNdpAnnounced, kMaxNdpGroups));
  loop_.call([&] { loop_.responder().set_rules(rules); });
  renew_membership();
  announce_new();
}

// ---- unicast solicitations ----------------------------------------------------------------------

void Proxy::renew_bypass() {
  if (interface_.index == 0) return;
  const auto opened = open_bypass();
  if (opened) return;
  const bool was_open = std::exchange(bypass_, std::nullopt).has_value();
  if (!was_open && std::exchange(lacks_bypass_, true)) return;
  log(LogLevel::info,
      "unicast solicitations of its targets also reach the kernel, which forwards them or answers "
      "with an ICMPv6 error where forwarding is on: " +
          opened.error().message());
}

Result<void> Proxy::open_bypass() {
  if (!bypass_) {
    auto opened = io::NdpBypassProgram::open();
    if (!opened) return Unexpected{opened.error()};
    bypass_.emplace(std::move(*opened));
  }
  // The prefixes first: an attached program must not take what is the kernel's.
  if (auto set = bypass_->set_prefixes(ndp_bypass_prefixes(config_, interface_)); !set) return set;
  return bypass_->attach(interface_.index);
}

// ---- groups -------------------------------------------------------------------------------------

void Proxy::renew_membership() {
  if (interface_.index == 0) {
    groups_.leave();
    membership_ = "the interface is not there";
  } else if (targets_.too_many.empty()) {
    join(targets_.addresses);
  } else {
    join_all_multicast(targets_.too_many);
  }
}

void Proxy::join(const std::vector<Ipv6Address>& targets) {
  std::vector<Ipv6Address> groups;
  for (const Ipv6Address& target : targets) groups.push_back(proto::solicited_node_group(target));
  if (auto joined = groups_.join(interface_.index, groups); !joined)
    return join_all_multicast(joined.error().message());
  membership_ = "joined " + std::to_string(groups_.count()) + " solicited-node groups";
}

void Proxy::join_all_multicast(const std::string& reason) {
  const bool was_all_multicast = groups_.has_all_multicast();
  if (auto joined = groups_.join_all_multicast(interface_.index); !joined) {
    membership_ = "hears no group, only what is sent to the interface itself: " + reason + "; " +
                  joined.error().message();
    return log(LogLevel::warning, membership_);
  }
  membership_ = "all-multicast, since " + reason +
                "; a switch that snoops MLD may keep solicitations from us, so let it flood them";
  if (!was_all_multicast) log(LogLevel::info, membership_);
}

// ---- announcements ------------------------------------------------------------------------------

void Proxy::announce_new() {
  if (interface_.index == 0) return;
  const NdpRules rules{config_, prefixes_, kernel_.prefixes};
  std::set<Ipv6Address> served;
  std::vector<Ipv6Address> added;
  for (const Ipv6Address& target : targets_.addresses) {
    const bool is_ready = !ndp_source(config_.source, interface_, target).is_unspecified();
    if (!is_ready || !rules.may_answer(target)) continue;
    served.insert(target);
    if (served_.count(target) == 0) added.push_back(target);
  }
  served_ = std::move(served);
  if (config_.announce != NdpAnnounce::none && !added.empty())
    loop_.call([&] { loop_.announce(added); });
}

NdpStatus Proxy::status() const {
  const std::lock_guard lock{mutex_};
  NdpStatus status{.config = config_,
                   .interface = interface_,
                   .running = loop_.is_running(),
                   .groups = groups_.count(),
                   .all_multicast = groups_.has_all_multicast(),
                   .membership = membership_,
                   .confirmed = {},
                   .wired = {},
                   .totals = {}};
  loop_.call([&] {
    const Time now = Time::clock::now();
    NdpResponder& responder = loop_.responder();
    loop_.count_drops();
    const auto probes = responder.probes(now);
    status.on_link = responder.on_link(now);
    status.confirmed = responder.confirmed(now);
    for (const NdpWires::Wire& each : responder.wires())
      status.wired.push_back({each.target, name_of(each.interface_index)});
    status.alive = probes.alive;
    status.dead = probes.dead;
    status.probing = probes.probing;
    status.waiting = probes.waiting + responder.confirmations(now).waiting + loop_.delayed();
    status.totals = responder.counters().totals();
  });
  std::sort(status.wired.begin(), status.wired.end(),
            [](const NdpWired& a, const NdpWired& b) { return a.address < b.address; });
  return status;
}

std::string Proxy::name_of(unsigned rule_interface_index) const {
  const auto found =
      std::find_if(rule_interfaces_.begin(), rule_interfaces_.end(),
                   [&](const auto& each) { return each.second == rule_interface_index; });
  return found == rule_interfaces_.end() ? "" : found->first;
}

}  // namespace

Ipv6Address ndp_source(NdpSource source, const NdpInterface& interface,
                       const Ipv6Address& target) noexcept {
  if (interface.link_local.is_unspecified()) return {};
  switch (source) {
    case NdpSource::link_local:
      return interface.link_local;
    case NdpSource::global:
      return interface.global;
    case NdpSource::target:
      break;
  }
  return target;
}

Result<std::unique_ptr<NdpProxy>> NdpProxy::open(NdpConfig config,
                                                 std::unique_ptr<NdpRoutes> routes) {
  if (auto valid = validate(config); !valid) return Unexpected{valid.error()};
  auto probe = open_probe(config);
  if (!probe) return Unexpected{probe.error()};
  const std::string object = "ndp " + config.interface;
  auto sockets = io::NdpSockets::open(object, std::move(*probe));
  if (!sockets) return Unexpected{sockets.error()};
  std::array<std::byte, sizeof(std::uint64_t)> seed;
  if (auto filled = io::fill_random(seed, object); !filled) return Unexpected{filled.error()};
  return std::unique_ptr<NdpProxy>{new Proxy{std::move(config), std::move(*sockets),
                                             std::bit_cast<std::uint64_t>(seed),
                                             std::move(routes)}};
}

}  // namespace culvert
