#include "bench/e2e/server/figures.h"

#include <array>

#include "bench/e2e/server/server.h"

namespace culvert::bench::server {
namespace {

using Bound = Target::Bound;

constexpr Target at_least(double value) { return {Bound::at_least, value}; }
constexpr Target at_most(double value) { return {Bound::at_most, value}; }

constexpr FigureKind kNdp[] = {
    {"culvert_64_answers_per_second", "64 outstanding: culvert, answers/s"},
    {"ndppd_64_answers_per_second", "64 outstanding: ndppd, answers/s"},
    {"culvert_64_unanswered", "64 outstanding: culvert, not answered in 100 ms"},
    {"ndppd_64_unanswered", "64 outstanding: ndppd, not answered in 100 ms"},
    {"ratio_64", "64 outstanding: culvert to ndppd", 2, at_least(3),
     "culvert_64_answers_per_second", "ndppd_64_answers_per_second"},
    {"culvert_1_answers_per_second", "one at a time: culvert, answers/s"},
    {"ndppd_1_answers_per_second", "one at a time: ndppd, answers/s"},
    {"culvert_1_unanswered", "one at a time: culvert, not answered in 100 ms"},
    {"ndppd_1_unanswered", "one at a time: ndppd, not answered in 100 ms"},
    {"ratio_1", "one at a time: culvert to ndppd", 2, at_least(3), "culvert_1_answers_per_second",
     "ndppd_1_answers_per_second"},
};

constexpr FigureKind kStorm[] = {
    {"solicitations", "solicitations"},
    {"solicitations_per_second", "solicitations/s"},
    {"answers_per_second", "answers/s"},
    {"memory_grown_kib", "culvert's memory has grown by, KiB", 0, at_most(0)},
    {"quiet_mbit_per_second", "TCP without a storm, Mbit/s"},
    {"deaf_mbit_per_second", "TCP, storm where nobody listens, Mbit/s"},
    {"storm_mbit_per_second", "TCP in the storm, Mbit/s"},
    {"deaf_ratio",
     "where nobody listens to without",
     2,
     {},
     "deaf_mbit_per_second",
     "quiet_mbit_per_second"},
    {"storm_ratio", "in the storm to without", 2, at_least(0.8), "storm_mbit_per_second",
     "quiet_mbit_per_second"},
};

constexpr FigureKind kLoad[] = {
    {"one_seconds", "one tunnel: is up after, s", 2},
    {"many_seconds", "all tunnels: is up after, s", 2, at_most(2)},
    {"one_resident_kib", "one tunnel: memory, KiB"},
    {"many_resident_kib", "all tunnels: memory, KiB"},
    {"kib_per_tunnel", "memory of each tunnel more, KiB", 2, at_most(1)},
};

constexpr FigureKind kTunnels[] = {
    {"udp_one_packets_per_second", "UDP, 64 bytes: one tunnel, packets/s"},
    {"udp_many_packets_per_second", "UDP, 64 bytes: spread over all, packets/s"},
    {"udp_ratio", "UDP, 64 bytes: all to one", 2, at_least(0.9), "udp_many_packets_per_second",
     "udp_one_packets_per_second"},
    {"tcp_one_mbit_per_second", "TCP: the one tunnel, Mbit/s"},
    {"tcp_many_mbit_per_second", "TCP: one of all, Mbit/s"},
    {"tcp_ratio", "TCP: one of all to the one", 2, at_least(0.9), "tcp_many_mbit_per_second",
     "tcp_one_mbit_per_second"},
};

constexpr FigureKind kAdd[] = {
    {.name = "calm_packets", .title = "packets while nothing is added", .is_sum = true},
    {.name = "calm_lost", .title = "lost of them", .is_sum = true},
    {.name = "adding_packets", .title = "packets while a tunnel comes and goes", .is_sum = true},
    {.name = "adding_lost", .title = "lost of those", .target = at_most(0), .is_sum = true},
    {.name = "changes", .title = "times that it came or went", .is_sum = true},
    {.name = "add_milliseconds", .title = "`culvert tunnel add` takes, ms", .decimals = 1},
};

constexpr FigureKind kFlows[] = {
    {"few_packets_per_second", "UDP, 64 bytes: 1,000 flows, packets/s"},
    {"many_packets_per_second", "UDP, 64 bytes: 1,000,000 flows, packets/s"},
    {"ratio",
     "UDP, 64 bytes: 1,000,000 flows to 1,000",
     2,
     {},
     "many_packets_per_second",
     "few_packets_per_second"},
};

constexpr auto kWorks = std::to_array<WorkKind>({
    {"ndp", "Neighbor discovery", kNdp, measure_ndp},
    {"storm", "Storm of solicitations for random targets", kStorm, measure_storm},
    {"load", "Load of a file with many tunnels", kLoad, measure_load},
    {"tunnels", "Forwarding with many tunnels", kTunnels, measure_tunnels},
    {"add", "Adding a tunnel to many, under load", kAdd, measure_add},
    {"flows", "Forwarding of many flows", kFlows, measure_flows},
});

}  // namespace

std::span<const WorkKind> all_works() { return kWorks; }

}  // namespace culvert::bench::server
