// The report as a table.
#include <algorithm>
#include <numeric>
#include <vector>

#include "bench/e2e/measure.h"
#include "bench/e2e/report.h"
#include "bench/e2e/text.h"

namespace culvert::bench {
namespace {

/// A column for one figure, or for its ratio to another tunnel.
struct Column {
  std::string_view head;
  std::string_view figure;
  int decimals;
};

constexpr Column kTcpColumns[] = {{"Mbit/s", kMbit, 0},
                                  {"retransmissions", kRetransmissions, 0},
                                  {"CPU ns/packet", kCpuPerPacket, 0}};
constexpr Column kUdpColumns[] = {
    {"packets/s", kPackets, 0}, {"sent/s", kSent, 0}, {"not in order", kNotInOrder, 0}};
constexpr Column kLatencyColumns[] = {{"p50 us", kP50, 1}, {"p99 us", kP99, 1}, {"lost", kLost, 0}};

std::span<const Column> columns_of(Work::Kind kind) {
  switch (kind) {
    case Work::Kind::tcp:
      return kTcpColumns;
    case Work::Kind::udp:
      return kUdpColumns;
    case Work::Kind::latency:
      return kLatencyColumns;
  }
  return {};
}

/// The ratio of the main figure.
std::string unit_of(Work::Kind kind) {
  return kind == Work::Kind::tcp ? "Mbit/s" : kind == Work::Kind::udp ? "packets/s" : "us";
}

std::string counted(std::size_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

/// The tunnels to which the ratios refer.
std::vector<std::string_view> references_of(std::string_view figure) {
  if (figure == kCpuPerPacket) return {"single"};
  if (figure == kMbit || figure == kPackets || figure == kP50) return {"socat", "vxlan"};
  return {};
}

/// Those of these tunnels that are in the report.
std::vector<std::string_view> references_in(std::span<const Summary> rows,
                                            std::string_view figure) {
  auto references = references_of(figure);
  std::erase_if(references, [&](std::string_view name) {
    return std::none_of(rows.begin(), rows.end(),
                        [&](const Summary& row) { return row.tunnel == name; });
  });
  return references;
}

std::string percent(double share) { return with_commas(share * 100) + "%"; }

/// "out 92%": the busiest thread and its share of one CPU.
std::string busiest(const CpuUse& cpu) {
  if (cpu.busiest == Part::idle) return "-";
  return std::string{kPartNames[static_cast<std::size_t>(cpu.busiest)]} + " " +
         percent(cpu.busiest_cpu);
}

Row head_of(std::span<const Summary> rows, Work::Kind kind) {
  Row head{""};
  for (const Column& column : columns_of(kind)) {
    head.emplace_back(column.head);
    for (const auto reference : references_in(rows, column.figure))
      head.push_back(": " + std::string{reference});
  }
  head.insert(head.end(), {"busiest thread", "CPUs idle"});
  return head;
}

Row row_of(const Report& report, std::span<const Summary> rows, const Summary& summary,
           Work::Kind kind) {
  Row row{summary.tunnel};
  for (const Column& column : columns_of(kind)) {
    const double* value = find_figure(summary.figures, column.figure);
    row.push_back(value != nullptr ? with_commas(*value, column.decimals) : "-");
    for (const auto reference : references_in(rows, column.figure)) {
      const double ratio = ratio_to(report, summary, reference, column.figure);
      row.push_back(ratio > 0 ? with_commas(ratio, 2) : "-");
    }
  }
  row.push_back(busiest(summary.cpu));
  row.push_back(percent(summary.cpu.of(Part::idle) / static_cast<double>(report.machine.cpus)));
  return row;
}

std::string table_of(const Report& report, const Work& work, std::span<const Summary> rows) {
  std::vector<Row> table{head_of(rows, work.kind)};
  for (const Summary& summary : rows) table.push_back(row_of(report, rows, summary, work.kind));
  table.front().front() = work.title;
  return align(table) + "\n";
}

std::string notes(const Report& report) {
  const Plan& plan = report.plan;
  std::string text = "Medians of turns: " + counted(plan.rounds, "round") + " of " +
                     std::to_string(plan.seconds) + " s for each line, in turns of at most " +
                     std::to_string(kLoadTurn.count()) +
                     " ms (latency: " + std::to_string(kLatencyTurn.count()) +
                     ") that alternate;\nratios: medians of those of turns that followed each "
                     "other.\nCPU ns/packet: of the tunnel's processes at both ends, for "
                     "each full TCP segment. " +
                     to_text(report.machine);
  for (const Failed& each : report.left_out) text += each.tunnel + ": " + each.reason + "\n";
  for (const Failed& each : report.failed)
    text += "failed: " + each.tunnel + " " + each.work + ": " + each.reason + "\n";
  return text;
}

}  // namespace

std::string one_line(std::span<const Turn> turns, const Work& work) {
  std::vector<std::string> names;
  for (const Turn& turn : turns) {
    if (std::find(names.begin(), names.end(), turn.tunnel) == names.end())
      names.push_back(turn.tunnel);
  }
  const std::string_view figure = main_figure(work.kind);
  const Column& column = columns_of(work.kind).front();
  std::string text{work.name};
  for (const std::string& name : names) {
    std::vector<double> values;
    for (const Turn& turn : turns) {
      const double* value = find_figure(turn.figures, figure);
      if (turn.tunnel == name && value != nullptr) values.push_back(*value);
    }
    text += (&name == &names.front() ? ": " : ", ") + name + " " +
            with_commas(median(std::move(values)), column.decimals) + " " + unit_of(work.kind);
  }
  return text;
}

std::string to_table(const Report& report) {
  const auto all = summarize(report);
  std::string text;
  for (const Work& work : report.plan.works) {
    std::vector<Summary> rows;
    for (const Summary& summary : all) {
      if (summary.work == work.name) rows.push_back(summary);
    }
    if (!rows.empty()) text += table_of(report, work, rows);
  }
  return text + notes(report);
}

}  // namespace culvert::bench
