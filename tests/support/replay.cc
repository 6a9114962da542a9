#include "tests/support/replay.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "engine/flows/flow_table.h"

namespace culvert::test {
namespace {

/// FNV-1a with 64 bits.
class Digest {
 public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) mix(std::to_integer<std::uint64_t>(byte));
    mix(bytes.size());
  }
  void add(std::uint64_t number) { mix(number); }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  void mix(std::uint64_t number) { value_ = (value_ ^ number) * 0x0000'0100'0000'01b3; }
  std::uint64_t value_ = 0xcbf2'9ce4'8422'2325;
};

std::string hex_of(std::uint64_t number, int digits) {
  char text[17];
  std::snprintf(text, sizeof text, "%0*llx", digits, static_cast<unsigned long long>(number));
  return text;
}
std::string hex_of(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += hex_of(std::to_integer<std::uint64_t>(byte), 2);
  return text;
}

/// All counters by name, those of drops included.
std::vector<std::pair<std::string, std::uint64_t>> named(const Totals& totals) {
  std::vector<std::pair<std::string, std::uint64_t>> counters{
      {"out_received", totals.out_received},
      {"out_packets", totals.out_packets},
      {"out_bytes", totals.out_bytes},
      {"in_received", totals.in_received},
      {"in_packets", totals.in_packets},
      {"in_bytes", totals.in_bytes},
      {"errors_received", totals.errors_received},
      {"errors_relayed", totals.errors_relayed},
      {"too_big_sent", totals.too_big_sent},
      {"too_big_suppressed", totals.too_big_suppressed},
      {"unreachable_sent", totals.unreachable_sent},
      {"unreachable_suppressed", totals.unreachable_suppressed},
      {"ecn_anomalies", totals.ecn_anomalies}};
  for (const DropReasonFacts& each : kDropReasons)
    counters.emplace_back(each.name, totals.dropped(each.reason));
  return counters;
}

/// The GRE fields that the remote endpoint of a tunnel sends.
struct RemoteGre {
  bool is_gre = false;
  std::optional<std::uint32_t> key;
  bool has_checksum = false, has_sequence = false;
  std::uint32_t sequence = 0;  ///< of the next packet
};

/// The protocol of the outer header around an inner packet. That of the encapsulation's first rule,
/// if the encapsulation does not carry the packet.
std::uint8_t outer_protocol(const Parameters& mode, const Bytes& inner) {
  const bool is_ipv4 = !inner.empty() && std::to_integer<unsigned>(inner[0]) >> 4 == 4;
  const auto type = is_ipv4 ? proto::kProtocolTypeIpv4 : proto::kProtocolTypeIpv6;
  std::optional<std::uint8_t> first, matching;
  for_each_demux_rule(mode, [&](const proto::DemuxRule& rule) {
    if (!first) first = rule.ip_protocol;
    if (rule.protocol_type == type) matching = rule.ip_protocol;
  });
  return matching ? *matching : *first;
}

/// An IPv4 packet whose TTL is 0. Any other packet is returned as it is.
Bytes without_ttl(Bytes packet) {
  if (packet.size() < proto::kIpv4HeaderBytes || proto::ip_version(packet) != 4) return packet;
  packet[proto::kIpv4TtlOffset] = std::byte{0};
  finish_ipv4_header(packet);
  return packet;
}

class Replay {
 public:
  Replay(const ReplayScenario& scenario, const ReplayCorpus& corpus, const std::string& dump)
      : scenario_(scenario), corpus_(corpus), rig_(make_rig()) {
    if (!dump.empty()) dump_.open(dump);
    for (std::uint32_t slot = 0; slot < scenario.tunnels.size(); ++slot) {
      const TunnelConfig& config = scenario.tunnels[slot];
      // Near the end, so that all identifications are passed: 0 is skipped.
      EXPECT_TRUE(rig_.worker().prepare(slot, static_cast<std::uint16_t>(0xff00 - slot)));
      if (!scenario.has_route) rig_.path(slot).local = proto::Ipv4Address{};
      if (!config.dev.empty()) rig_.path(slot).interface_index = scenario.interface_index;
      RemoteGre& remote = remotes_.emplace_back();
      const auto* gre = std::get_if<proto::Gre::Parameters>(&config.mode);
      if (gre == nullptr) continue;
      remote = {.is_gre = true, .key = gre->ikey, .has_checksum = gre->icsum};
      remote.has_sequence = gre->iseq;
    }
  }

  ReplayResult run() {
    while (out_ < corpus_.outbound.size() || in_ < corpus_.inbound.size() ||
           outer_ < corpus_.outer.size() || icmp_ < corpus_.icmp.size())
      round();
    return result();
  }

 private:
  TunnelRig make_rig() {
    auto table = FlowTable::open(65'536, kKey, Time{std::chrono::hours{1}});
    if (table) flows_ = std::move(*table);
    EXPECT_TRUE(flows_);
    return TunnelRig(scenario_.tunnels, scenario_.own, scenario_.path_mtu,
                     {.sizes = scenario_.sizes,
                      .receive = scenario_.receive,
                      .tun_offloads = scenario_.tun_has_virtio_header,
                      .tun_has_uso = scenario_.tun_has_uso,
                      .flows = scenario_.pinning ? flows_.get() : nullptr});
  }

  // ---- input ------------------------------------------------------------------------------------

  void round() {
    ++round_count_;
    rig_.now += std::chrono::milliseconds{20};
    if (round_count_ % 8 == 1) {  // a next hop that was lost is found again
      for (std::uint32_t slot = 0; slot < scenario_.tunnels.size(); ++slot)
        rig_.path(slot).next_hop.store(scenario_.next_hop);
    }
    if (round_count_ % 16 == 0) rig_.now += std::chrono::seconds{40};  // idle times end
    if (scenario_.sends_fail) {
      rig_.queues().send_error = random_.one_of({0, 0, ENOBUFS, EPERM, ENETUNREACH, EIO});
      rig_.queues().write_error = random_.one_of({0, 0, EAGAIN, EIO});
    }
    for (std::size_t left = 1 + random_.below(64); left > 0; --left) add_outbound();
    for (std::size_t left = 1 + random_.below(64); left > 0; --left) add_inbound();
    for (std::size_t left = 8; left > 0 && outer_ < corpus_.outer.size(); --left)
      put(io::Source::tunnel, corpus_.outer[outer_++], {});
    for (std::size_t left = 8; left > 0 && icmp_ < corpus_.icmp.size(); --left)
      put(io::Source::icmp, corpus_.icmp[icmp_++], {});
    add_errors();
    rig_.queues().sent.clear();
    rig_.queues().written.clear();
    rig_.round();
    record_round();
  }

  io::Packet& put(io::Source source, const Bytes& bytes, const io::Offload& offload) {
    ++received_[static_cast<std::size_t>(source)];
    io::Packet& packet = rig_.queues().put(source, bytes, offload);
    packet.truncated = random_.one_in(400);
    packet.has_bad_offload = random_.one_in(400);
    return packet;
  }

  void add_outbound() {
    if (out_ == corpus_.outbound.size()) return;
    const ReplayPacket& packet = corpus_.outbound[out_++];
    put(io::Source::tun, packet.bytes, packet.offload);
  }

  void add_inbound() {
    if (in_ == corpus_.inbound.size()) return;
    const ReplayPacket& packet = corpus_.inbound[in_++];
    const std::size_t tunnels = scenario_.tunnels.size();
    const std::size_t tunnel = random_.one_in(8) ? random_.below(tunnels) : packet.site % tunnels;
    Bytes outer = encapsulate(tunnel, packet.bytes);
    io::Offload offload = packet.offload;
    if (offload.needs_checksum || offload.is_super_packet()) {
      const auto shift = static_cast<std::uint16_t>(outer.size() - packet.bytes.size());
      offload.checksum_start = static_cast<std::uint16_t>(offload.checksum_start + shift);
      offload.header_bytes = static_cast<std::uint16_t>(offload.header_bytes + shift);
    }
    // The kernel delivers no offload with packets from a raw socket.
    if (scenario_.receive == io::ReceiveKind::raw) offload = {};
    if (random_.one_in(25)) outer.resize(outer.size() + 1 + random_.below(20));
    if (random_.one_in(15)) {
      mutate(outer, random_);
      if (!random_.one_in(3)) finish_ipv4_header(outer);
    }
    io::Packet& put_packet = put(io::Source::tunnel, outer, offload);
    put_packet.interface_index = random_.one_in(30) ? 8 : 7;
  }

  /// The outer packet that the remote endpoint of a tunnel sends, or nearly so.
  Bytes encapsulate(std::size_t tunnel, const Bytes& inner) {
    const TunnelConfig& config = scenario_.tunnels[tunnel];
    std::string source = config.remote.to_text();
    if (config.remote.is_any())
      source = random_.one_of({"198.51.100.7", "198.51.100.8", "198.51.100.9"});
    if (random_.one_in(60))
      source = random_.one_of(
          {"203.0.113.3", "127.0.0.1", "224.0.0.1", "0.1.2.3", "192.0.2.1", "250.0.0.1"});
    std::string destination = config.local ? config.local->to_text() : kLocalText;
    if (!scenario_.own.empty() && random_.one_in(4))
      destination = scenario_.own[random_.below(scenario_.own.size())].to_text();
    Ipv4Extra extra{.ttl = 57};
    if (random_.one_in(5)) extra.tos = static_cast<std::uint8_t>(random_.below(256));
    if (random_.one_in(80)) extra.more_fragments = true;
    if (random_.one_in(80)) extra.fragment_offset_bytes = 1'480;
    if (random_.one_in(60)) extra.options = hex("94 04 00 00");
    if (random_.one_in(100)) extra.checksum = std::uint16_t{0x1234};
    const std::uint8_t own_protocol = outer_protocol(config.mode, inner);
    extra.protocol = own_protocol;
    if (random_.one_in(60)) extra.protocol = random_.one_of<std::uint8_t>({4, 17, 41, 47});
    const Drawing outer = ipv4(source, destination, extra);
    if (own_protocol == proto::kProtocolIpv4 && random_.one_in(60))
      return outer / payload(without_ttl(inner));
    if (!remotes_[tunnel].is_gre) return outer / payload(inner);
    const Drawing header = gre(gre_header(remotes_[tunnel], inner));
    return outer / header / payload(inner);
  }
  GreExtra gre_header(RemoteGre& remote, const Bytes& inner) {
    const bool is_ipv4 = !inner.empty() && std::to_integer<unsigned>(inner[0]) >> 4 == 4;
    GreExtra extra{.key = remote.key, .has_checksum = remote.has_checksum};
    extra.protocol_type = is_ipv4 ? std::uint16_t{0x0800} : std::uint16_t{0x86dd};
    if (remote.has_sequence || random_.one_in(20)) extra.sequence = remote.sequence++;
    if (random_.one_in(30)) extra.has_checksum = !extra.has_checksum;
    if (extra.has_checksum && random_.one_in(40)) extra.checksum = std::uint16_t{0x1234};
    if (random_.one_in(60)) extra.key = random_.one_of<std::uint32_t>({0, 1, 7, 99});
    if (random_.one_in(60)) extra.key.reset();
    if (random_.one_in(60)) extra.sequence.reset();
    if (extra.sequence && random_.one_in(40)) extra.sequence = *extra.sequence - 3;
    if (random_.one_in(60))
      extra.extra_flags = random_.one_of<std::uint16_t>({0x4000, 0x0800, 0x0400, 1, 2, 0x00f8});
    if (random_.one_in(60))
      extra.protocol_type = random_.one_of<std::uint16_t>({0x86dd, 0x0800, 0x6558, 0});
    return extra;
  }

  /// ICMP errors about datagrams of the last round. Path MTUs are learned only near the end, so
  /// that most packets meet the MTU of the scenario.
  void add_errors() {
    const auto& sent = rig_.queues().sent;
    const bool is_near_end = out_ * 4 > corpus_.outbound.size() * 3;
    for (std::size_t left = 4; left > 0 && !sent.empty(); --left) {
      const SentDatagram& quoted = sent[random_.below(sent.size())];
      const std::size_t quoted_bytes =
          random_.one_of<std::size_t>({20, 28, 36, 60, 68, 100, 128, 548});
      std::uint8_t type = 3;
      auto code = random_.one_of<std::uint8_t>({0, 1, 2, 3, 4, 4, 13});
      if (random_.one_in(5)) {
        type = random_.one_of<std::uint8_t>({4, 5, 8, 11, 12});
        code = 0;
      }
      std::uint32_t word = random_.one_of<std::uint32_t>({1'500, 1'500, 9'000, 0xffff'ffff});
      if (is_near_end) word = random_.one_of<std::uint32_t>({0, 68, 1'280, 1'400, 1'480});
      const Bytes message = ipv4("203.0.113.9", quoted_source(quoted.bytes).to_text()) /
                            icmpv4(type, code, word) / payload(first(quoted.bytes, quoted_bytes));
      put(io::Source::icmp, message, {});
    }
  }
  static proto::Ipv4Address quoted_source(const Bytes& outer) {
    std::uint32_t host = 0;
    for (std::size_t i = 12; i < 16; ++i) host = host << 8 | std::to_integer<unsigned>(outer[i]);
    return proto::Ipv4Address::from_host(host);
  }

  // ---- output -----------------------------------------------------------------------------------

  void record_round() {
    if (dump_.is_open()) dump_ << "round " << round_count_ << '\n';
    for (const SentDatagram& datagram : rig_.queues().sent) record(datagram);
    for (const WrittenPacket& packet : rig_.queues().written) record(packet);
    record(rig_.device());
    for (std::uint32_t slot = 0; slot < scenario_.tunnels.size(); ++slot) record(rig_.tunnel(slot));
    sent_ += rig_.queues().sent.size();
    written_ += rig_.queues().written.size();
    const std::uint64_t value = digest_.value();
    rounds_ += hex_of((value ^ value >> 16 ^ value >> 32 ^ value >> 48) & 0xffff, 4);
  }

  void record(const SentDatagram& datagram) {
    digest_.add(datagram.bytes);
    digest_.add(datagram.destination.host());
    digest_.add(datagram.interface_index);
    digest_.add(datagram.encapsulation_bytes);
    const io::NextHop& hop = datagram.next_hop;
    digest_.add(hop.interface_index);
    digest_.add(hop.kernel_gso ? 1 : 0);
    digest_.add(std::as_bytes(std::span{hop.source.bytes}));
    digest_.add(std::as_bytes(std::span{hop.destination.bytes}));
    record(datagram.offload);
    if (dump_.is_open())
      dump_ << "sent to " << datagram.destination.to_text() << " by " << datagram.interface_index
            << ", " << hop.interface_index << ": " << hex_of(datagram.bytes) << '\n';
  }
  void record(const WrittenPacket& packet) {
    digest_.add(packet.bytes);
    record(packet.offload);
    if (dump_.is_open()) dump_ << "written: " << hex_of(packet.bytes) << '\n';
  }
  /// As the kernel sees it: a field without a meaning does not count.
  void record(const io::Offload& offload) {
    std::array<std::byte, io::kVirtioHeaderBytes> header;
    io::write_virtio_header(header, offload);
    digest_.add(header);
    if (dump_.is_open()) dump_ << "offload " << hex_of(header) << ' ';
  }
  void record(const Totals& totals) {
    for (const auto& [name, count] : named(totals)) {
      digest_.add(count);
      if (dump_.is_open() && count != 0) dump_ << name << '=' << count << ' ';
    }
    if (dump_.is_open()) dump_ << '\n';
  }

  ReplayResult result() {
    ReplayResult result{.fields = {}, .totals = rig_.totals()};
    expect_conserved(rig_);
    const FlowCounts flows = flows_->counts();
    const auto add = [&](const std::string& key, const std::string& value) {
      result.fields.emplace_back(key, value);
    };
    add("digest", hex_of(digest_.value(), 16));
    add("from_tun", std::to_string(received_[0]));
    add("from_tunnel", std::to_string(received_[1]));
    add("from_icmp", std::to_string(received_[2]));
    add("sent", std::to_string(sent_));
    add("written", std::to_string(written_));
    add("flows", std::to_string(flows.created));
    EXPECT_EQ(flows.displaced + flows.flow_table_full, 0u)
        << "so the key of the hash does not matter";
    for (const auto& [name, count] : named(result.totals))
      if (count != 0) add(name, std::to_string(count));
    add("rounds", rounds_);
    return result;
  }

  static constexpr SipKey kKey{1, 2};

  const ReplayScenario& scenario_;
  const ReplayCorpus& corpus_;
  std::unique_ptr<FlowTable> flows_;
  TunnelRig rig_;
  ReplayRandom random_{3};
  std::vector<RemoteGre> remotes_;
  std::size_t out_ = 0, in_ = 0, outer_ = 0, icmp_ = 0;  ///< next packets of the corpus
  std::size_t round_count_ = 0;
  std::array<std::size_t, io::kSources> received_{};
  std::size_t sent_ = 0, written_ = 0;
  Digest digest_;
  std::string rounds_;
  std::ofstream dump_;
};

/// The fields of a line, without its name.
std::map<std::string, std::string> fields_of(const std::string& line) {
  std::map<std::string, std::string> fields;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    if (equals != std::string::npos) fields[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return fields;
}

}  // namespace

std::string ReplayResult::line(const std::string& name) const {
  std::string text = name;
  for (const auto& [key, value] : fields) text += ' ' + key + '=' + value;
  return text;
}

ReplayResult replay(const ReplayScenario& scenario, const ReplayCorpus& corpus,
                    const std::string& dump) {
  return Replay(scenario, corpus, dump).run();
}

std::string difference(const std::string& recorded, const std::string& now) {
  auto before = fields_of(recorded), after = fields_of(now);
  for (const auto& [key, value] : before) after.try_emplace(key, "0");
  std::string text;
  for (const auto& [key, value] : after) {
    const std::string old = before.contains(key) ? before[key] : "0";
    if (value == old) continue;
    if (key != "rounds") {
      text += key + " was " + old + ", is " + value + '\n';
      continue;
    }
    const auto at = std::mismatch(old.begin(), old.end(), value.begin(), value.end()).first;
    text += "the first round that differs: " + std::to_string((at - old.begin()) / 4 + 1) + '\n';
  }
  return text;
}

}  // namespace culvert::test
