#include "tests/support/replay_corpus.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/transport_packet.h"

namespace culvert::test {
namespace {

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10;

/// What stays of a conversation from packet to packet, for one direction.
struct Conversation {
  bool is_ipv6 = true, is_tcp = true, is_outbound = true;
  unsigned site = 0, host = 0;
  std::uint16_t near_port = 0, far_port = 0;
  std::uint8_t ds_field = 0, hop_limit = 64;
  bool dont_fragment = true;
  std::uint16_t identification = 0;
  std::uint32_t sequence = 0, acknowledgment = 1;
  std::size_t payload_bytes = 0;
  Bytes tcp_options{};
};

/// Draws the packets of one direction.
class TrafficGenerator {
 public:
  TrafficGenerator(bool is_outbound, std::size_t count)
      : random_(is_outbound ? 1 : 2), is_outbound_(is_outbound), count_(count) {
    for (unsigned i = 0; i < kConversations; ++i) conversations_[i] = conversation(i);
  }

  std::vector<ReplayPacket> packets() {
    while (packets_.size() < count_) add_some();
    return std::move(packets_);
  }

 private:
  static constexpr unsigned kConversations = 40;

  /// Both directions of conversation `i` have the same addresses and ports.
  Conversation conversation(unsigned i) {
    Conversation made{.is_ipv6 = i % 3 != 0, .is_tcp = i % 4 != 1, .is_outbound = is_outbound_};
    made.site = i % kReplaySites;
    made.host = i / kReplaySites;
    made.near_port = static_cast<std::uint16_t>(40'000 + i);
    made.far_port = i % 2 == 0 ? 443 : 53;
    made.ds_field = random_.one_of<std::uint8_t>({0, 0, 0, 1, 2, 3, 0xb8, 0xba, 0x48});
    made.hop_limit = random_.one_of<std::uint8_t>({64, 63, 128, 255, 2, 1});
    made.dont_fragment = !random_.one_in(4);
    made.identification = static_cast<std::uint16_t>(random_.below(65'536));
    made.sequence = static_cast<std::uint32_t>(0xffff'f000u + i * 1000u);
    made.payload_bytes = random_.one_of<std::size_t>(
        {1, 100, 512, 536, 1000, 1200, 1220, 1340, 1388, 1400, 1408, 1420, 1428, 1432});
    if (random_.one_in(2)) made.tcp_options = hex("01 01 08 0a 00 00 10 00 00 00 20 00");
    return made;
  }
  Conversation& any_conversation() { return conversations_[random_.below(kConversations)]; }

  static std::string near_host(const Conversation& of) {
    return (of.is_ipv6 ? "2001:db8:ffff::" : "10.255.0.") + std::to_string(of.host + 1);
  }
  static std::string far_host(const Conversation& of) {
    const std::string site = std::to_string(of.site), host = std::to_string(of.host + 1);
    return of.is_ipv6 ? "2001:db8:" + site + "::" + host : "10." + site + ".0." + host;
  }
  /// The IP header of the conversation's next packet.
  static Drawing network(Conversation& of) {
    const std::string source = of.is_outbound ? near_host(of) : far_host(of);
    const std::string destination = of.is_outbound ? far_host(of) : near_host(of);
    return network(of, source, destination);
  }
  static Drawing network(Conversation& of, const std::string& source,
                         const std::string& destination) {
    if (of.is_ipv6)
      return ipv6(source, destination,
                  {.traffic_class = of.ds_field, .flow_label = of.site, .hop_limit = of.hop_limit});
    return ipv4(source, destination,
                {.tos = of.ds_field,
                 .ttl = of.hop_limit,
                 .identification = of.identification++,
                 .dont_fragment = of.dont_fragment});
  }
  static Drawing transport(const Conversation& of, bool is_partial = false,
                           std::uint8_t flags = kAck) {
    const auto source = of.is_outbound ? of.near_port : of.far_port;
    const auto destination = of.is_outbound ? of.far_port : of.near_port;
    if (!of.is_tcp) return udp(source, destination, {.is_partial = is_partial});
    return tcp(source, destination,
               {.sequence = of.sequence,
                .acknowledgment = of.acknowledgment,
                .flags = flags,
                .options = of.tcp_options,
                .is_partial = is_partial});
  }
  /// Bytes of the conversation's next packet.
  static Drawing data(Conversation& of, std::size_t size_bytes) {
    Drawing drawn = payload(pattern(size_bytes, of.sequence));
    of.sequence += static_cast<std::uint32_t>(size_bytes);
    return drawn;
  }
  static io::Offload partial(const Conversation& of) {
    io::Offload offload{.needs_checksum = true};
    offload.checksum_start = of.is_ipv6 ? 40 : 20;
    offload.checksum_offset = of.is_tcp ? 16 : 6;
    return offload;
  }
  void add(const Conversation& of, Bytes bytes, const io::Offload& offload = {}) {
    packets_.push_back({std::move(bytes), offload, of.site});
  }

  void add_some() {
    const std::size_t kind = random_.below(100);
    Conversation& of = any_conversation();
    if (kind < 36) return add_bulk(of);
    if (kind < 46) return add_syn(of);
    if (kind < 55) return add_super_packet(of);
    if (kind < 60) return add_partial(of);
    if (kind < 65) return add_icmp(of);
    if (kind < 70) return add_fragments(of);
    if (kind < 76) return add_extended(of);
    if (kind < 79) return add_other_protocol(of);
    if (kind < 87) return add_size(of);
    if (kind < 93) return add_special_address(of);
    if (kind < 95) return add_padded(of);
    add_mutation();
  }

  /// A run of packets that GRO may join, and now and then one that it must not.
  void add_bulk(Conversation& of) {
    const std::size_t run = 1 + random_.below(12);
    for (std::size_t i = 0; i < run; ++i) {
      std::uint8_t flags = kAck;
      if (random_.one_in(12)) flags |= kPsh;
      if (random_.one_in(40)) flags |= random_.one_of({kFin, kRst, std::uint8_t{0x40}, kSyn});
      if (random_.one_in(20)) ++of.acknowledgment;
      if (random_.one_in(20)) of.ds_field ^= 1;
      if (random_.one_in(30)) of.sequence += 7;
      if (random_.one_in(30)) ++of.identification;
      const std::size_t size_bytes =
          random_.one_in(15) ? random_.below(of.payload_bytes + 1) : of.payload_bytes;
      const bool is_verified = random_.one_in(2);
      Drawing headers = network(of) / transport(of, false, flags);
      add(of, headers / data(of, size_bytes), {.checksum_verified = is_verified});
    }
  }

  void add_syn(Conversation& of) {
    static const std::array<Bytes, 8> kOptions{
        hex("02 04 05 b4"),                                      // MSS 1460
        hex("02 04 23 28 01 03 03 07"),                          // MSS 9000, window scale
        hex("01 01 01 02 04 05 a0 00"),                          // behind NOPs, at an odd place
        hex("04 02 08 0a 00 00 10 00 00 00 00 00 02 04 05 8c"),  // behind SACK and timestamps
        hex("02 04 02 18"),                                      // MSS 536
        hex("02 03 05 b4"),                                      // a wrong length
        hex("02 04 05 b4 02 04 23 28"),                          // twice
        hex("00 00 02 04"),                                      // behind the end of the list
    };
    Conversation opening = of;
    opening.is_tcp = true;
    opening.tcp_options = kOptions[random_.below(kOptions.size())];
    const bool is_answer = random_.one_in(2), is_partial = random_.one_in(4);
    const auto flags = static_cast<std::uint8_t>(is_answer ? kSyn | kAck : kSyn);
    Drawing drawn = network(opening) / transport(opening, is_partial, flags);
    add(of, drawn, is_partial ? partial(opening) : io::Offload{});
  }

  void add_super_packet(Conversation& of) {
    const std::size_t size_bytes = 200 + random_.below(random_.one_in(12) ? 60'000 : 12'000);
    const auto segment_bytes = random_.one_of<std::uint16_t>(
        {500, 1000, 1200, 1220, 1360, 1388, 1400, 1408, 1420, 1428, 1440, 9000});
    std::uint8_t flags = kAck;
    if (random_.one_in(3)) flags |= kPsh;
    if (random_.one_in(10)) flags |= 0x80;  // CWR
    io::Offload offload = partial(of);
    const std::size_t transport_bytes = of.is_tcp ? 20 + of.tcp_options.size() : 8;
    offload.header_bytes = static_cast<std::uint16_t>(offload.checksum_start + transport_bytes);
    offload.segmentation = !of.is_tcp   ? io::Segmentation::udp
                           : of.is_ipv6 ? io::Segmentation::tcp6
                                        : io::Segmentation::tcp4;
    offload.segment_bytes = segment_bytes;
    if (random_.one_in(25)) offload.checksum_start += random_.one_of<std::uint16_t>({1, 8, 9'000});
    if (random_.one_in(25)) offload.header_bytes = 1;
    Drawing headers = network(of) / transport(of, true, flags);
    add(of, headers / data(of, size_bytes), offload);
  }

  void add_partial(Conversation& of) {
    io::Offload offload = partial(of);
    if (random_.one_in(15)) offload.checksum_start = random_.one_of<std::uint16_t>({0, 39, 4'000});
    const std::size_t size_bytes = random_.below(1'400);
    Drawing headers = network(of) / transport(of, true);
    add(of, headers / data(of, size_bytes), offload);
  }

  void add_icmp(Conversation& of) {
    Conversation back = of;  // of the packet that an error quotes
    back.is_outbound = !of.is_outbound;
    const std::size_t size_bytes = random_.below(600);
    Bytes quoted = network(back) / transport(back) / payload(size_bytes);
    const std::size_t quoted_bytes = random_.one_of<std::size_t>({28, 48, 60, 200, 2'000});
    quoted = first(quoted, quoted_bytes);
    const auto code = static_cast<std::uint8_t>(random_.below(6));
    const auto word = random_.one_of<std::uint32_t>({0, 68, 1'280, 1'400, 0x0001'0002});
    if (of.is_ipv6) {
      const auto type = random_.one_of<std::uint8_t>({1, 2, 3, 4, 128, 129, 133, 135, 136});
      add(of, network(of) / icmpv6(type, code, word) / payload(quoted));
    } else {
      const auto type = random_.one_of<std::uint8_t>({0, 3, 3, 4, 5, 8, 11, 12, 13});
      add(of, network(of) / icmpv4(type, code, word) / payload(quoted));
    }
  }

  /// The fragments of one datagram, sometimes in another order or with one missing.
  void add_fragments(Conversation& of) {
    const std::size_t size_bytes = 600 + random_.below(2'000);
    const std::size_t piece_bytes = 8 * (20 + random_.below(150));
    Conversation whole = of;
    whole.ds_field = 0;
    const std::size_t header_bytes = of.is_ipv6 ? 40 : 20;
    const Bytes upper = behind(network(whole) / transport(of) / payload(size_bytes), header_bytes);
    const std::size_t begin = packets_.size();
    for (std::size_t offset = 0; offset < upper.size(); offset += piece_bytes) {
      const bool is_last = offset + piece_bytes >= upper.size();
      const Bytes piece = first(behind(upper, offset), piece_bytes);
      const std::string source = of.is_outbound ? near_host(of) : far_host(of);
      const std::string destination = of.is_outbound ? far_host(of) : near_host(of);
      const auto at = static_cast<std::uint16_t>(offset);
      const std::uint8_t protocol = of.is_tcp ? 6 : 17;
      if (of.is_ipv6) {
        Bytes drawn =
            ipv6(source, destination) / fragment(at, !is_last, of.sequence) / payload(piece);
        drawn[40] = std::byte{protocol};
        add(of, drawn);
      } else {
        add(of, ipv4(source, destination,
                     {.identification = of.identification,
                      .dont_fragment = false,
                      .more_fragments = !is_last,
                      .fragment_offset_bytes = at,
                      .protocol = protocol}) /
                    payload(piece));
      }
    }
    ++of.identification;
    ++of.sequence;
    if (random_.one_in(4)) std::swap(packets_[begin], packets_.back());
    if (random_.one_in(4)) packets_.pop_back();
  }

  /// IPv6 extension headers, or IPv4 options.
  void add_extended(Conversation& of) {
    const std::size_t size_bytes = random_.below(1'300);
    if (!of.is_ipv6) {
      const std::string source = of.is_outbound ? near_host(of) : far_host(of);
      const std::string destination = of.is_outbound ? far_host(of) : near_host(of);
      const Bytes options =
          random_.one_of({hex("01 01 01 00"), hex("94 04 00 00"), hex("07 07 04 00 00 00 00 00")});
      Drawing headers = ipv4(source, destination, {.options = options}) / transport(of);
      return add(of, headers / data(of, size_bytes));
    }
    Drawing headers = network(of);
    const std::size_t chain = 1 + random_.below(3);
    for (std::size_t i = 0; i < chain; ++i) {
      const std::size_t kind = random_.below(5);
      const std::size_t header_bytes = 8 * (1 + random_.below(4));
      headers = headers / (kind == 0   ? hop_by_hop(header_bytes)
                           : kind == 1 ? routing(header_bytes)
                           : kind == 2 ? destination_options(header_bytes)
                           : kind == 3 ? authentication(16 + header_bytes)
                                       : fragment(0, false));
    }
    headers = headers / transport(of);
    add(of, headers / data(of, size_bytes));
  }

  void add_other_protocol(Conversation& of) {
    const auto protocol = random_.one_of<std::uint8_t>({4, 41, 47, 50, 51, 58, 59, 1, 132, 255});
    const std::size_t size_bytes = random_.below(200);
    Bytes drawn = network(of) / payload(size_bytes);
    drawn[of.is_ipv6 ? 6 : 9] = std::byte{protocol};
    if (!of.is_ipv6) finish_ipv4_header(drawn);
    add(of, drawn);
  }

  void add_size(Conversation& of) {
    const std::size_t around = random_.one_of<std::size_t>(
        {68,    576,   976,   1'000, 1'256, 1'260, 1'280, 1'300, 1'380, 1'400, 1'456,
         1'460, 1'464, 1'468, 1'472, 1'476, 1'480, 1'500, 8'976, 8'980, 9'000});
    const std::size_t size_bytes = around - 4 + random_.below(9);
    Conversation datagram = of;
    datagram.is_tcp = false;
    Drawing headers = network(datagram) / transport(datagram);
    add(of, headers / payload(size_bytes - (of.is_ipv6 ? 48 : 28)));
    of.identification = datagram.identification;
  }

  void add_special_address(Conversation& of) {
    constexpr std::size_t kRemoteEndpoint = 0;
    static constexpr std::array kSpecial6{
        "fe80::c633:6401", "::",         "::1",     "ff02::1", "ff0e::7",
        "::ffff:10.0.0.1", "::10.0.0.1", "fe80::1", "fc00::1", "2001:db8:77::1"};
    static constexpr std::array kSpecial4{
        "198.51.100.1",    "0.0.0.0",   "127.0.0.1",   "224.0.0.1",   "240.0.0.1",
        "255.255.255.255", "192.0.2.1", "169.254.1.1", "203.0.113.7", "0.1.2.3"};
    std::size_t i = random_.below(kSpecial6.size());
    if (random_.one_in(2)) i = kRemoteEndpoint;  // a routing loop
    const std::string special = of.is_ipv6 ? kSpecial6[i] : kSpecial4[i];
    const bool is_source = i != kRemoteEndpoint && random_.one_in(2);
    const auto protocol = random_.one_of<std::uint8_t>({17, 47, 47, 41, 4});
    const std::string source = of.is_outbound ? near_host(of) : far_host(of);
    const std::string destination = of.is_outbound ? far_host(of) : near_host(of);
    Drawing headers = is_source ? network(of, special, destination) : network(of, source, special);
    Bytes drawn = headers / udp(of.near_port, of.far_port) / payload(100);
    drawn[of.is_ipv6 ? 6 : 9] = std::byte{protocol};
    if (!of.is_ipv6) finish_ipv4_header(drawn);
    add(of, drawn);
  }

  void add_padded(Conversation& of) {
    const std::size_t size_bytes = random_.below(400), padding_bytes = 1 + random_.below(60);
    Drawing headers = network(of) / transport(of);
    Bytes drawn = headers / data(of, size_bytes);
    drawn.resize(drawn.size() + padding_bytes, std::byte{0xa5});
    add(of, drawn);
  }

  void add_mutation() {
    if (packets_.empty()) return;
    const std::size_t back = random_.below(std::min<std::size_t>(packets_.size(), 50));
    ReplayPacket packet = packets_[packets_.size() - 1 - back];
    mutate(packet.bytes, random_);
    if (random_.one_in(2)) finish_ipv4_header(packet.bytes);
    packets_.push_back(std::move(packet));
  }

  ReplayRandom random_;
  bool is_outbound_;
  std::size_t count_;
  std::array<Conversation, kConversations> conversations_;
  std::vector<ReplayPacket> packets_;
};

/// The files of one folder of the fuzzers' corpus, sorted by name.
std::vector<Bytes> seeds_of(const std::string& unit) {
  const std::filesystem::path folder = CULVERT_SOURCE_DIR "/tests/fuzz/corpus/" + unit;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const auto bytes = std::as_bytes(std::span{text});
    seeds.emplace_back(bytes.begin(), bytes.end());
  }
  return seeds;
}

}  // namespace

ReplayCorpus traffic_corpus(std::size_t count) {
  return {.outbound = TrafficGenerator(true, count).packets(),
          .inbound = TrafficGenerator(false, count).packets(),
          .outer = {},
          .icmp = {}};
}

ReplayCorpus fuzz_corpus() {
  ReplayCorpus corpus;
  const auto add_inner = [&](const Bytes& bytes, const io::Offload& offload = {}) {
    corpus.outbound.push_back({bytes, offload});
    corpus.inbound.push_back({bytes, offload});
  };
  for (const auto* unit : {"flow_key", "ipv4", "ipv6", "gro"})
    for (const Bytes& seed : seeds_of(unit)) add_inner(seed);
  for (const Bytes& seed : seeds_of("gso")) {  // a virtio header, then the packet
    if (seed.size() < io::kVirtioHeaderBytes) continue;
    const auto header = std::span{seed}.first<io::kVirtioHeaderBytes>();
    const auto offload = io::read_virtio_header(header);
    if (offload) add_inner(behind(seed, header.size()), *offload);
  }
  for (const Bytes& seed : seeds_of("tcp"))  // three bytes of parameters, then the segment
    add_inner(ipv6("2001:db8:ffff::1", "2001:db8::1", {.next_header = std::uint8_t{6}}) /
              payload(behind(seed, std::min<std::size_t>(seed.size(), 3))));
  for (const Bytes& seed : seeds_of("gre"))  // the bytes behind the outer header
    corpus.outer.push_back(ipv4("10.0.0.2", "10.0.0.1", {.protocol = std::uint8_t{47}}) /
                           payload(seed));
  for (const auto* unit : {"ipv4", "icmpv4", "relay"}) {
    for (Bytes& seed : seeds_of(unit)) {
      corpus.icmp.push_back(seed);
      finish_ipv4_header(seed);
      corpus.icmp.push_back(seed);
      corpus.outer.push_back(seed);
    }
  }
  for (const Bytes& seed : seeds_of("icmpv4"))  // the ICMP message without its IPv4 header
    corpus.icmp.push_back(ipv4("203.0.113.9", "10.0.0.1", {.protocol = std::uint8_t{1}}) /
                          payload(seed));
  return corpus;
}

void mutate(Bytes& packet, ReplayRandom& random) {
  if (packet.empty()) return;
  const std::size_t header_bytes = std::min<std::size_t>(packet.size(), 100);
  const std::size_t kind = random.below(4);
  if (kind == 0) {  // flipped bits
    for (std::size_t left = 1 + random.below(3); left > 0; --left) {
      const std::size_t at = random.below(header_bytes);
      packet[at] ^= std::byte(1u << random.below(8));
    }
  } else if (kind == 1) {  // cut short
    packet.resize(random.one_in(2) ? random.below(header_bytes) : random.below(packet.size()));
  } else if (kind == 2) {  // another number in two bytes
    const std::size_t at = random.below(header_bytes);
    const auto number = random.one_of<unsigned>({0, 1, 20, 40, 0xff, 0x7fff, 0xffff});
    packet[at] = std::byte(number >> 8);
    if (at + 1 < packet.size()) packet[at + 1] = std::byte(number);
  } else {  // a wrong length of IPv4 or IPv6
    const bool is_ipv6 = std::to_integer<unsigned>(packet[0]) >> 4 == 6;
    const std::size_t at = is_ipv6 ? 5 : 3;
    const auto change = static_cast<unsigned>(random.below(64));
    if (at < packet.size()) packet[at] ^= std::byte(change);
  }
}

void finish_ipv4_header(Bytes& packet) {
  if (packet.size() < 20 || std::to_integer<unsigned>(packet[0]) >> 4 != 4) return;
  const std::size_t header_bytes = std::to_integer<std::size_t>(packet[0] & std::byte{15}) * 4;
  if (header_bytes < 20 || header_bytes > packet.size()) return;
  packet[10] = packet[11] = std::byte{0};
  const std::uint16_t checksum = slow_checksum(std::span{packet}.first(header_bytes));
  packet[10] = std::byte(checksum >> 8);
  packet[11] = std::byte(checksum);
}

}  // namespace culvert::test
