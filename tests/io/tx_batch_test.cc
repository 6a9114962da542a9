// One batch with raw sockets and packet sockets: the sent packets, their order and their results.
#include "io/tx_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <cerrno>
#include <deque>
#include <optional>

#include "io/packet_socket.h"
#include "io/raw_socket.h"
#include "proto/ipv4.h"
#include "tests/io/rig.h"

namespace culvert::io {
namespace {

using test::ipv4;
using test::ipv6;
using test::payload;
using test::tcp;
using testing::Each;
using testing::ElementsAre;
using testing::SizeIs;

constexpr unsigned kOurs = 10;  // the interface index of Wire's device
const auto kRemote = *proto::Ipv4Address::from_text("192.0.2.2");
const auto kNowhere = *proto::Ipv4Address::from_text("198.51.100.1");

NextHop hop_by(unsigned interface_index) {
  return {.interface_index = interface_index,
          .source = {{2, 0, 0, 0, 0, 1}},
          .destination = {{2, 0, 0, 0, 0, 2}}};
}

class DeparturesBy : public NamespaceTest {
 protected:
  void open(const QueueSizes& sizes = {}) {
    descriptors_.send = std::move(*open_raw_send_socket(""));
    descriptors_.packet_send = std::move(*open_packet_send_socket());
    descriptors_.slots = {.slots = slots_, .first_mark = 0};
    tx_batch_.emplace(sizes, descriptors_);
  }
  /// A packet with a number. It is valid until the end of the test.
  const Bytes& outer(int number, std::size_t bytes = 100) {
    return packets_.emplace_back(ipv4("192.0.2.1", "192.0.2.2", {.protocol = 41}) /
                                 payload(numbered(number, bytes)));
  }
  Datagram super_packet(const NextHop& hop) {
    const Bytes& bytes =
        packets_.emplace_back(ipv4("192.0.2.1", "192.0.2.2") / ipv6("2001:db8::1", "2001:db8::2") /
                              tcp(1, 2) / payload(3000));
    return {.head = bytes,
            .tail = {},
            .destination = kRemote,
            .next_hop = hop,
            .offload = {.needs_checksum = true,
                        .checksum_start = proto::kIpv4HeaderBytes + 40,
                        .checksum_offset = 16,
                        .segmentation = Segmentation::tcp6,
                        .segment_bytes = 1000,
                        .header_bytes = proto::kIpv4HeaderBytes + 60},
            .encapsulation_bytes = proto::kIpv4HeaderBytes,
            .gso = proto::KernelGso::ip};
  }
  std::vector<int> send_all() {
    tx_batch_->send_all();
    const auto results = tx_batch_->finish().sends;
    return {results.begin(), results.end()};
  }
  static std::vector<int> numbers_at(const Fd& receiver) {
    std::vector<int> numbers;
    for (Bytes packet = receive_from(receiver); !packet.empty(); packet = receive_from(receiver))
      numbers.push_back(number_of(std::span{packet}.subspan(proto::kIpv4HeaderBytes)));
    return numbers;
  }

  std::array<EncapsulatorSlot, 3> slots_{};
  WorkerDescriptors descriptors_;
  std::optional<TxBatch> tx_batch_;
  std::deque<Bytes> packets_;
};

TEST_F(DeparturesBy, EitherSocketKeepTheirOrder) {
  const Wire wire;
  open();
  const Fd receiver = peer_raw_socket(wire, 41);
  std::vector<int> expected;
  for (int i = 0; i < 64; ++i) {  // runs of one to four
    const Bytes& packet = outer(i);
    const std::span bytes{packet};
    const bool is_by_link = (0b1101'0001'1100'1011u >> (i % 16) & 1) != 0;
    ASSERT_TRUE(tx_batch_->add(Datagram{.head = bytes.first(40),
                                        .tail = bytes.subspan(40),
                                        .destination = kRemote,
                                        .next_hop = is_by_link ? hop_by(kOurs) : NextHop{}}));
    expected.push_back(i);
  }
  EXPECT_THAT(send_all(), testing::AllOf(SizeIs(64), Each(0)));
  EXPECT_EQ(numbers_at(receiver), expected);
}

TEST_F(DeparturesBy, EitherSocketTellTheirResultsInOrder) {
  const Wire wire;
  open();
  const Fd receiver = peer_raw_socket(wire, 41);
  const auto add = [&](int number, std::size_t bytes, proto::Ipv4Address destination,
                       const NextHop& hop) {
    ASSERT_TRUE(tx_batch_->add(Datagram{
        .head = outer(number, bytes), .tail = {}, .destination = destination, .next_hop = hop}));
  };
  add(0, 1481, kRemote, hop_by(kOurs));  // one byte above the MTU
  add(1, 1480, kRemote, hop_by(kOurs));
  add(2, 1481, kRemote, {});
  add(3, 100, kNowhere, {});
  add(4, 100, kRemote, {});
  add(5, 100, kNowhere, hop_by(kOurs));  // sent without a route
  EXPECT_THAT(send_all(), ElementsAre(EMSGSIZE, 0, EMSGSIZE, ENETUNREACH, 0, 0));
  EXPECT_THAT(numbers_at(receiver), ElementsAre(1, 4, 5));
}

TEST_F(DeparturesBy, RawSocketWhereTheInterfaceIsGoneOrDown) {
  const Wire wire;
  open();
  const Fd receiver = peer_raw_socket(wire, 41);
  ip("link add spare index 20 type veth peer name unused index 21");
  for (const unsigned index : {20u, 999u}) {  // ENETDOWN, ENXIO
    for (int i = 0; i < 6; ++i) {
      const std::span bytes{outer(i)};
      ASSERT_TRUE(tx_batch_->add(Datagram{.head = bytes.first(i % 2 == 0 ? 120 : 40),
                                          .tail = bytes.subspan(i % 2 == 0 ? 120 : 40),
                                          .destination = kRemote,
                                          .next_hop = hop_by(i == 3 ? kOurs : index)}));
    }
    EXPECT_THAT(send_all(), testing::AllOf(SizeIs(6), Each(0))) << index;
    EXPECT_THAT(numbers_at(receiver), ElementsAre(0, 1, 2, 3, 4, 5)) << index;
  }
}

// If the raw socket cannot send the packet either, its result is an error.
TEST_F(DeparturesBy, RawSocketAreNoSuperPackets) {
  const Wire wire;
  open();
  ASSERT_TRUE(tx_batch_->add(super_packet(hop_by(999))));
  ASSERT_TRUE(tx_batch_->add(
      Datagram{.head = outer(1), .tail = {}, .destination = kRemote, .next_hop = {}}));
  EXPECT_THAT(send_all(), ElementsAre(ENXIO, 0));
}

TEST_F(DeparturesBy, RawSocketWhereThereIsNoPacketSocket) {
  const Wire wire;
  descriptors_.send = std::move(*open_raw_send_socket(""));
  tx_batch_.emplace(QueueSizes{}, descriptors_);
  const Fd receiver = peer_raw_socket(wire, 41);
  ASSERT_TRUE(tx_batch_->add(
      Datagram{.head = outer(7), .tail = {}, .destination = kRemote, .next_hop = hop_by(999)}));
  EXPECT_THAT(send_all(), ElementsAre(0));
  EXPECT_THAT(numbers_at(receiver), ElementsAre(7));
}

/// A second uplink of this namespace, and the socket that receives its packets.
class SecondWay {
 public:
  static constexpr unsigned kIndex = 20;
  SecondWay() {
    ip("link add second index 20 type veth peer name behind index 21");
    ip("addr add 203.0.113.1/24 dev second");
    ip("link set second up");
    set_up("behind");
    set_up("second");
    for (const char* neighbor : {"203.0.113.2", "192.0.2.2"})
      ip("neigh replace " + std::string{neighbor} + " lladdr 02:00:00:00:00:03 dev second");
    receiver_ = open_test_socket(AF_PACKET, SOCK_DGRAM, 0);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_IP);
    address.sll_ifindex = 21;
    EXPECT_EQ(::bind(receiver_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
  }
  [[nodiscard]] const Fd& receiver() const { return receiver_; }

 private:
  Fd receiver_;
};

TEST_F(DeparturesBy, InterfaceThatIsNamedGoAgainstTheRoute) {
  const Wire wire;
  const SecondWay second;
  open();
  const Fd receiver = peer_raw_socket(wire, 41);
  for (const unsigned index : {0u, SecondWay::kIndex, kOurs, 999u}) {
    ASSERT_TRUE(tx_batch_->add(Datagram{.head = outer(static_cast<int>(index)),
                                        .tail = {},
                                        .destination = kRemote,
                                        .interface_index = index}));
  }
  EXPECT_THAT(send_all(), ElementsAre(0, 0, 0, ENODEV));
  EXPECT_THAT(numbers_at(receiver), ElementsAre(0, 10));
  EXPECT_THAT(numbers_at(second.receiver()), ElementsAre(20));
}

// Two uplinks with the usual configuration: a rule per source, and a gateway in its table.
TEST_F(DeparturesBy, InterfaceThatIsNamedTakeTheRouteOfTheirSource) {
  const Wire wire;
  const SecondWay second;
  ip("rule add from 203.0.113.1 table 100");
  ip("route add default via 203.0.113.2 dev second table 100");
  open();
  const Bytes packet =
      ipv4("203.0.113.1", "198.51.100.1", {.protocol = 41}) / payload(numbered(5, 100));
  ASSERT_TRUE(tx_batch_->add(Datagram{
      .head = packet, .tail = {}, .destination = kNowhere, .interface_index = SecondWay::kIndex}));
  EXPECT_THAT(send_all(), ElementsAre(0));
  EXPECT_THAT(numbers_at(second.receiver()),
              ElementsAre(5));  // at the gateway: no neighbor solicited
}

// The interface of the next hop was deleted: the raw socket sends by the datagram's interface.
TEST_F(DeparturesBy, InterfaceThatIsNamedWithoutTheNextHop) {
  const Wire wire;
  const SecondWay second;
  open();
  ASSERT_TRUE(tx_batch_->add(Datagram{.head = outer(3),
                                      .tail = {},
                                      .destination = kRemote,
                                      .next_hop = hop_by(999),
                                      .interface_index = SecondWay::kIndex}));
  EXPECT_THAT(send_all(), ElementsAre(0));
  EXPECT_THAT(numbers_at(second.receiver()), ElementsAre(3));
}

TEST_F(DeparturesBy, SlotsAreFullWhenAllAreTaken) {
  const Wire wire;
  open();
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < slots_.size(); ++i)
      ASSERT_TRUE(tx_batch_->add(super_packet(hop_by(999)))) << "round " << round;
    EXPECT_FALSE(tx_batch_->add(super_packet(hop_by(999))));
    ASSERT_TRUE(tx_batch_->add(
        Datagram{.head = outer(1), .tail = {}, .destination = kRemote, .next_hop = {}}));
    EXPECT_THAT(send_all(), SizeIs(slots_.size() + 1));
  }
  for (const EncapsulatorSlot& slot : slots_) {
    EXPECT_EQ(slot.socket_cookie, socket_cookie(descriptors_.packet_send));
    EXPECT_NE(slot.socket_cookie, 0u);
    EXPECT_EQ(slot.header_bytes, proto::kIpv4HeaderBytes);
  }
}

}  // namespace
}  // namespace culvert::io
