// Super-packets that leave unsegmented, and that the kernel encapsulates and segments, compared
// with the same ones segmented by us: the packets captured at the remote side of a wire are the
// same, byte for byte.
//
//     worker > TxBatch > packet socket > program on `ours` > GSO > `theirs` > captured
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/syscall.h>

#include <cerrno>
#include <optional>

#include "io/bpf/bpf.h"
#include "io/packet_socket.h"
#include "io/raw_socket.h"
#include "io/tx_batch.h"
#include "proto/ipv4.h"
#include "proto/tcp.h"
#include "tests/io/rig.h"
#include "tests/support/packet_matchers.h"
#include "tests/support/transport_packet.h"
#include "tests/support/tunnel_rig.h"

namespace culvert::test {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::SizeIs;

constexpr unsigned kOurs = 10;  // the index that io::Wire gives its device

/// Number of tcx egress programs of an interface.
std::uint32_t programs_at(unsigned interface_index) {
  bpf_attr attributes{};
  attributes.query.target_fd = interface_index;
  attributes.query.attach_type = 47;  // BPF_TCX_EGRESS
  EXPECT_EQ(::syscall(SYS_bpf, BPF_PROG_QUERY, &attributes, sizeof attributes), 0);
  return attributes.query.prog_cnt;
}

class KernelCuts : public io::NamespaceTest {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    wire_.emplace();
    io::run("ethtool -K ours tx off > /dev/null");
    auto program = io::EncapsulatorProgram::open(2, 4);
    if (!program && program.error().code == EPERM) GTEST_SKIP() << program.error().message();
    ASSERT_TRUE(program) << program.error().message();
    program_ = std::move(*program);
    const auto attached = program_->attach(kOurs);
    if (!attached && attached.error().code == EINVAL) GTEST_SKIP() << attached.error().message();
    ASSERT_TRUE(attached) << attached.error().message();
    descriptors_.send = std::move(*io::open_raw_send_socket(""));
    descriptors_.packet_send = std::move(*io::open_packet_send_socket());
    descriptors_.slots = program_->slots_of(1);
    departures_.emplace(io::QueueSizes{}, descriptors_);
    const io::Inside there(wire_->peer());
    receiver_ = io::open_test_socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    constexpr int kYes = 1;
    ::setsockopt(receiver_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &kYes, sizeof kYes);
    io::grow_receive_buffer(receiver_);
  }

  /// The datagrams that a worker sends for a super-packet.
  static std::vector<SentDatagram> sent_of(const TunnelConfig& config, const Bytes& super_packet,
                                           const io::Offload& offload, bool kernel_cuts) {
    TunnelRig rig{config};
    rig.path().next_hop.store({.interface_index = kOurs,
                               .kernel_gso = kernel_cuts,
                               .source = {{2, 0, 0, 0, 0, 1}},
                               .destination = {{2, 0, 0, 0, 0, 2}}});
    rig.queues().put(io::Source::tun, super_packet, offload);
    rig.round();
    expect_conserved(rig);
    return rig.queues().sent;
  }

  void send(const std::vector<SentDatagram>& sent) {
    for (const SentDatagram& each : sent) {
      ASSERT_TRUE(departures_->add(io::Datagram{.head = each.bytes,
                                                .tail = {},
                                                .destination = each.destination,
                                                .next_hop = each.next_hop,
                                                .offload = each.offload,
                                                .encapsulation_bytes = each.encapsulation_bytes,
                                                .gso = each.gso}));
    }
    departures_->send_all();
    const auto results = departures_->finish().sends;
    EXPECT_THAT(std::vector<int>(results.begin(), results.end()),
                testing::AllOf(SizeIs(sent.size()), Each(0)));
  }

  /// The captured packets without their Ethernet headers, which are checked.
  std::vector<Bytes> arrivals() {
    std::vector<Bytes> packets;
    for (Bytes frame = io::receive_from(receiver_); !frame.empty();
         frame = io::receive_from(receiver_)) {
      EXPECT_THAT(std::span{frame}.first(14), SameBytes(hex("020000000002 020000000001 0800")));
      packets.emplace_back(frame.begin() + ETH_HLEN, frame.end());
    }
    return packets;
  }

  std::optional<io::Wire> wire_;
  std::optional<io::EncapsulatorProgram> program_;
  io::WorkerDescriptors descriptors_;
  std::optional<io::TxBatch> departures_;
  io::Fd receiver_;
};

/// With DF set the identification may have any value (RFC 6864 4.1), and so may the header
/// checksum.
void forget_identification(Bytes& packet) {
  for (const std::size_t i : {4u, 5u, 10u, 11u}) packet[i] = std::byte{0};
}

TransportPacket stream(bool is_ipv6, std::size_t payload_bytes) {
  return {.is_ipv6 = is_ipv6,
          .tos = 0x02,  // ECT(0)
          .identification = 0xfffe,
          .flags = proto::kTcpAck | 0x80 | 0x08 | 0x01,  // CWR, PSH, FIN
          .tcp_options = hex("0101080a 00000001 00000002"),
          .payload = pattern(payload_bytes)};
}

struct Form {
  const char* name;
  TunnelConfig config;
};
std::vector<Form> forms() {
  auto clear_df = sit_config();
  clear_df.pmtudisc = false;
  return {{"sit", sit_config()},
          {"sit without DF", clear_df},
          {"gre", gre_config()},
          {"gre key", gre_config({.ikey = 7, .okey = 0xc0a8'0101})}};
}

TEST_F(KernelCuts, MakesTheSegmentsThatWeMake) {
  for (const Form& form : forms()) {
    for (const bool is_ipv6 : {true, false}) {
      if (!is_ipv6 && form.config.mode.index() == sit_config().mode.index()) continue;
      for (const std::size_t bytes : {1001u, 3000u, 20'000u, 65'420u}) {
        SCOPED_TRACE(std::string{form.name} + (is_ipv6 ? ", IPv6, " : ", IPv4, ") +
                     std::to_string(bytes) + " bytes");
        const auto drawn = stream(is_ipv6, bytes);
        const Bytes super_packet = draw(drawn, Checksum::partial);
        auto offload = partial_offload(drawn, 1000);
        offload.tcp_ecn = true;
        const auto whole = sent_of(form.config, super_packet, offload, true);
        ASSERT_THAT(whole, SizeIs(1));
        ASSERT_TRUE(whole[0].offload.is_super_packet());
        send(whole);
        auto arrived = arrivals();
        auto segments = sent_of(form.config, super_packet, offload, false);
        ASSERT_EQ(arrived.size(), segments.size());
        for (std::size_t i = 0; i < arrived.size(); ++i) {
          EXPECT_THAT(arrived[i], HasValidChecksums());
          forget_identification(arrived[i]);
          forget_identification(segments[i].bytes);
          ASSERT_THAT(arrived[i], SameBytes(segments[i].bytes)) << "segment " << i;
        }
      }
    }
  }
}

// RFC 6864 4.3: with DF clear each segment has its own identification.
TEST_F(KernelCuts, CountsTheIdentificationOn) {
  auto config = sit_config();
  config.pmtudisc = false;
  TunnelRig rig{config};
  rig.path().next_hop.store({.interface_index = kOurs,
                             .kernel_gso = true,
                             .source = {{2, 0, 0, 0, 0, 1}},
                             .destination = {{2, 0, 0, 0, 0, 2}}});
  const auto drawn = stream(true, 4500);
  for (int i = 0; i < 2; ++i) {
    rig.queues().put(io::Source::tun, draw(drawn, Checksum::partial), partial_offload(drawn, 1000));
    rig.queues().put(io::Source::tun, draw(stream(true, 10)));
  }
  rig.round();
  ASSERT_THAT(rig.queues().sent, SizeIs(4));
  send(rig.queues().sent);
  const auto arrived = arrivals();
  ASSERT_THAT(arrived, SizeIs(12));
  const auto identification = [&](std::size_t i) { return proto::load_be16(arrived[i], 4); };
  for (std::size_t i = 1; i < arrived.size(); ++i) {
    std::uint16_t next = static_cast<std::uint16_t>(identification(i - 1) + 1);
    if (next == 0 && identification(i) == 1) next = 1;  // we never send 0
    EXPECT_EQ(identification(i), next);
    EXPECT_EQ(proto::load_be16(arrived[i], 6) & 0x4000, 0);
  }
}

TEST_F(KernelCuts, KeepsTheOrderOfSuperPacketsAndOthers) {
  std::vector<SentDatagram> sent;
  std::vector<std::uint32_t> expected;
  for (std::uint32_t i = 0; i < 8; ++i) {
    auto drawn = stream(true, i % 2 == 0 ? 2500 : 300);
    drawn.sequence = i * 10'000;
    const auto datagrams = i % 2 == 0 ? sent_of(sit_config(), draw(drawn, Checksum::partial),
                                                partial_offload(drawn, 1000), true)
                                      : sent_of(sit_config(), draw(drawn), {}, true);
    sent.insert(sent.end(), datagrams.begin(), datagrams.end());
    for (std::uint32_t j = 0; j < (i % 2 == 0 ? 3u : 1u); ++j)
      expected.push_back(drawn.sequence + j * 1000);
  }
  send(sent);
  std::vector<std::uint32_t> sequences;
  for (const Bytes& packet : arrivals()) sequences.push_back(proto::load_be32(packet, 20 + 40 + 4));
  EXPECT_EQ(sequences, expected);
}

// ---- the program --------------------------------------------------------------------------------

TEST(EncapsulatorSlot, SaysWhichEncapsulationItsHeadersAre) {
  io::EncapsulatorSlot slot;
  const Bytes sit = ipv4("192.0.2.1", "192.0.2.2", {.protocol = 41});
  io::fill(slot, sit, proto::KernelGso::ip);
  EXPECT_EQ(slot.header_bytes, 20u);
  EXPECT_EQ(slot.flags, BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4);
  EXPECT_THAT(std::span{slot.header}.first(20), SameBytes(sit));
  const Bytes with_gre = ipv4("192.0.2.1", "192.0.2.2") / gre({.key = 5});
  io::fill(slot, with_gre, proto::KernelGso::gre);
  EXPECT_EQ(slot.header_bytes, 28u);
  EXPECT_EQ(slot.flags,
            BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_GRE);
  EXPECT_THAT(std::span{slot.header}.first(28), SameBytes(with_gre));
}

TEST_F(KernelCuts, LeavesThePacketsOfOthersAlone) {
  const auto drawn = stream(true, 1500);
  send(sent_of(sit_config(), draw(drawn, Checksum::partial), partial_offload(drawn, 1000), true));
  EXPECT_THAT(arrivals(), SizeIs(2));  // fills the slot of the first mark
  const std::uint32_t mark = descriptors_.slots.first_mark;
  const Bytes packet = ipv4("192.0.2.1", "192.0.2.2") / udp(1, 2) / payload(100);
  const auto send_marked = [&](std::uint32_t its_mark) {
    const io::Fd other = io::open_test_socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    ASSERT_EQ(::setsockopt(other.get(), SOL_SOCKET, SO_MARK, &its_mark, sizeof its_mark), 0);
    io::send_to(other, "192.0.2.2", packet);
    auto arrived = arrivals();
    ASSERT_THAT(arrived, SizeIs(1)) << "mark " << its_mark;
    forget_identification(arrived[0]);
    Bytes expected = packet;
    forget_identification(expected);
    EXPECT_THAT(arrived[0], SameBytes(expected)) << "mark " << its_mark;
  };
  // Marks of our slot, of another worker's slot, of a slot that does not exist, and of other
  // software.
  for (const std::uint32_t each : {mark, mark - 4, mark + 100, 1u}) send_marked(each);
}

// A forwarded packet belongs to no socket, and an unused slot belongs to no socket either.
TEST_F(KernelCuts, LeavesForwardedPacketsAlone) {
  std::ofstream{"/proc/sys/net/ipv4/ip_forward"} << 1;
  io::ip("route add 203.0.113.0/24 via 192.0.2.2");
  io::run(
      "nft 'add table ip t; add chain ip t c { type filter hook prerouting priority 0; }; "
      "add rule ip t c ip daddr 203.0.113.1 meta mark set " +
      std::to_string(program_->slots_of(0).first_mark) + "'");
  io::fill(program_->slots_of(0).slots[0], Bytes(ipv4("192.0.2.1", "192.0.2.2")),
           proto::KernelGso::ip);
  const Bytes packet =
      ipv4("192.0.2.2", "203.0.113.1", {.identification = 9}) / udp(1, 2) / payload(100);
  {
    const io::Inside there(wire_->peer());
    io::ip("route add 203.0.113.0/24 via 192.0.2.1");
  }
  io::send_to(io::peer_raw_socket(*wire_, IPPROTO_RAW), "203.0.113.1", packet);
  std::size_t forwarded = 0;
  for (const Bytes& each : arrivals()) {
    if (each[9] != std::byte{17}) continue;  // skip the router's ICMP redirect
    ++forwarded;
    EXPECT_EQ(each.size(), packet.size());
    EXPECT_EQ(each[8], std::byte{63});  // TTL
  }
  EXPECT_EQ(forwarded, 1u);
}

TEST_F(KernelCuts, ProgramIsGoneWithItsObject) {
  EXPECT_EQ(programs_at(kOurs), 1u);
  ASSERT_TRUE(program_->attach(kOurs));
  EXPECT_EQ(programs_at(kOurs), 1u) << "attached twice";
  program_.reset();
  EXPECT_EQ(programs_at(kOurs), 0u);
}

TEST_F(KernelCuts, ProgramsOfTwoProcessesDoNotMeet) {
  auto other = io::EncapsulatorProgram::open(1, 4);
  ASSERT_TRUE(other);
  ASSERT_TRUE(other->attach(kOurs));
  EXPECT_EQ(programs_at(kOurs), 2u);
  io::WorkerDescriptors descriptors;
  descriptors.packet_send = std::move(*io::open_packet_send_socket());
  descriptors.slots = other->slots_of(0);
  const auto drawn = stream(true, 1500);
  const auto whole =
      sent_of(gre_config(), draw(drawn, Checksum::partial), partial_offload(drawn, 1000), true);
  send(whole);
  EXPECT_THAT(arrivals(), SizeIs(2));
  departures_.emplace(io::QueueSizes{}, descriptors);
  send(whole);
  const auto arrived = arrivals();
  EXPECT_THAT(arrived, SizeIs(2));
  EXPECT_THAT(arrived, Each(HasValidChecksums()));
}

// A program that was attached before ours sees complete outer packets.
TEST_F(KernelCuts, ProgramStandsInFrontOfOthers) {
  program_.reset();
  constexpr int kDrop = 2, kNext = -1, kProtocol = offsetof(__sk_buff, protocol);
  using namespace io::bpf;
  const std::array drops_ipv6{load(BPF_W, BPF_REG_2, BPF_REG_1, kProtocol),
                              compute(BPF_MOV, BPF_REG_0, kNext),
                              jump_if(BPF_JNE, BPF_REG_2, htons(ETH_P_IPV6), 1),
                              compute(BPF_MOV, BPF_REG_0, kDrop), exit()};
  const auto other = io::load_program(BPF_PROG_TYPE_SCHED_CLS, drops_ipv6, "drops_ipv6");
  ASSERT_TRUE(other) << other.error().message();
  const auto link = io::attach(*other, io::TcxHook::egress, kOurs);
  ASSERT_TRUE(link) << link.error().message();
  program_ = std::move(*io::EncapsulatorProgram::open(2, 4));
  ASSERT_TRUE(program_->attach(kOurs));
  descriptors_.slots = program_->slots_of(1);
  departures_.emplace(io::QueueSizes{}, descriptors_);
  const auto drawn = stream(true, 1500);
  send(sent_of(sit_config(), draw(drawn, Checksum::partial), partial_offload(drawn, 1000), true));
  EXPECT_THAT(arrivals(), SizeIs(2));
}

// The index of a removed interface may be reused.
TEST_F(KernelCuts, ProgramComesBackToAnInterfaceMadeAnew) {
  io::ip("link add spare index 20 type veth peer name unused");
  ASSERT_TRUE(program_->attach(20));
  EXPECT_EQ(programs_at(20), 1u);
  io::ip("link delete spare");
  EXPECT_FALSE(program_->attach(20)) << "there is no such interface";
  io::ip("link add spare index 20 type veth peer name unused");
  EXPECT_EQ(programs_at(20), 0u);
  ASSERT_TRUE(program_->attach(20));
  EXPECT_EQ(programs_at(20), 1u);
}

}  // namespace
}  // namespace culvert::test
