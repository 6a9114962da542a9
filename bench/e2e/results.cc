#include "bench/e2e/results.h"

#include <algorithm>
#include <cmath>

namespace culvert::bench {
namespace {

using Turns = std::vector<const Turn*>;

template <class Read>
double median_of(const Turns& turns, Read read) {
  std::vector<double> values;
  for (const Turn* turn : turns) values.push_back(read(*turn));
  return median(std::move(values));
}

CpuUse median_cpu(const Turns& turns) {
  CpuUse use;
  for (std::size_t part = 0; part < kParts; ++part)
    use.cpus[part] = median_of(turns, [&](const Turn& turn) { return turn.cpu.cpus[part]; });
  std::array<std::size_t, kParts> times{};
  for (const Turn* turn : turns) ++times[static_cast<std::size_t>(turn->cpu.busiest)];
  const auto most = std::max_element(times.begin(), times.end()) - times.begin();
  use.busiest = static_cast<Part>(most);
  std::vector<double> shares;
  for (const Turn* turn : turns) {
    if (turn->cpu.busiest == use.busiest) shares.push_back(turn->cpu.busiest_cpu);
  }
  use.busiest_cpu = median(std::move(shares));
  return use;
}

double value_of(const Turns& turns, const std::string& name) {
  if (name == kP99) {
    std::vector<double> samples;
    for (const Turn* turn : turns)
      samples.insert(samples.end(), turn->samples_us.begin(), turn->samples_us.end());
    return percentile(std::move(samples), 0.99);
  }
  std::vector<double> values;
  for (const Turn* turn : turns) {
    if (const double* value = find_figure(turn->figures, name)) values.push_back(*value);
  }
  return median(std::move(values));
}

Summary summarize_turns(const Turns& turns) {
  Summary summary{.tunnel = turns.front()->tunnel,
                  .work = turns.front()->work,
                  .turns = turns.size(),
                  .figures = {},
                  .cpu = median_cpu(turns)};
  for (const Figure& figure : turns.front()->figures)
    summary.figures.push_back({figure.name, value_of(turns, figure.name)});
  return summary;
}

}  // namespace

const double* find_figure(std::span<const Figure> figures, std::string_view name) {
  for (const Figure& figure : figures) {
    if (figure.name == name) return &figure.value;
  }
  return nullptr;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  return values[std::min(index, values.size() - 1)];
}

std::vector<Summary> summarize(const Report& report) {
  std::vector<Summary> all;
  for (const Work& work : report.plan.works) {
    for (const TunnelPlan& tunnel : report.plan.tunnels) {
      Turns turns;
      for (const Turn& turn : report.turns) {
        if (turn.work == work.name && turn.tunnel == tunnel.name) turns.push_back(&turn);
      }
      if (!turns.empty()) all.push_back(summarize_turns(turns));
    }
  }
  return all;
}

double ratio_to(const Report& report, const Summary& summary, std::string_view other,
                std::string_view figure) {
  std::vector<double> ratios;
  for (const Turn& ours : report.turns) {
    if (ours.work != summary.work || ours.tunnel != summary.tunnel) continue;
    for (const Turn& theirs : report.turns) {
      if (theirs.work != ours.work || theirs.tunnel != other) continue;
      if (theirs.round != ours.round || theirs.turn != ours.turn) continue;
      const double* our_value = find_figure(ours.figures, figure);
      const double* their_value = find_figure(theirs.figures, figure);
      if (our_value != nullptr && their_value != nullptr && *their_value != 0)
        ratios.push_back(*our_value / *their_value);
    }
  }
  return median(std::move(ratios));
}

std::string_view main_figure(Work::Kind kind) {
  switch (kind) {
    case Work::Kind::tcp:
      return kMbit;
    case Work::Kind::udp:
      return kPackets;
    case Work::Kind::latency:
      return kP50;
  }
  return {};
}

}  // namespace culvert::bench
