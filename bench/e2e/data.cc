// The report as JSON and CSV.
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/e2e/report.h"

namespace culvert::bench {
namespace {

using Json = nlohmann::ordered_json;

/// Rounds to three decimals; further digits are noise.
double rounded(double value) { return std::round(value * 1000) / 1000; }

Json figures_json(std::span<const Figure> figures) {
  Json json = Json::object();
  for (const Figure& figure : figures) json[figure.name] = rounded(figure.value);
  return json;
}

Json cpu_json(const CpuUse& cpu) {
  Json parts = Json::object();
  for (std::size_t part = 0; part < kParts; ++part)
    parts[std::string{kPartNames[part]}] = rounded(cpu.cpus[part]);
  return {{"cpus", parts},
          {"busiest_thread",
           {{"part", kPartNames[static_cast<std::size_t>(cpu.busiest)]},
            {"cpu", rounded(cpu.busiest_cpu)}}}};
}

Json settings_json(const Report& report) {
  Json tunnels = Json::array();
  for (const TunnelPlan& tunnel : report.plan.tunnels) {
    Json options = Json::object();
    for (const auto& [name, value] : tunnel.options) options[name] = value;
    tunnels.push_back({{"name", tunnel.name}, {"options", options}});
  }
  return {{"rounds", report.plan.rounds},
          {"seconds", report.plan.seconds},
          {"tunnels", tunnels},
          {"kernel", report.machine.kernel},
          {"cpus", report.machine.cpus},
          {"load_average_before", rounded(report.machine.load_average)}};
}

Json turn_json(const Turn& turn) {
  Json json{
      {"round", turn.round}, {"turn", turn.turn}, {"tunnel", turn.tunnel}, {"work", turn.work}};
  json.update(figures_json(turn.figures));
  json.update(cpu_json(turn.cpu));
  return json;
}

Json summary_json(const Summary& summary, const Report& report) {
  Json json{{"tunnel", summary.tunnel}, {"work", summary.work}, {"turns", summary.turns}};
  json.update(figures_json(summary.figures));
  json.update(cpu_json(summary.cpu));
  Json ratios = Json::object();
  for (const Work& work : report.plan.works) {
    if (work.name != summary.work) continue;
    for (const std::string_view other : {"socat", "vxlan", "single"}) {
      const double ratio = ratio_to(report, summary, other, main_figure(work.kind));
      if (ratio > 0) ratios[std::string{other}] = rounded(ratio);
    }
  }
  json["ratio_to"] = ratios;
  const double cost = ratio_to(report, summary, "single", kCpuPerPacket);
  if (cost > 0) json["cpu_ratio_to_single"] = rounded(cost);
  return json;
}

Json failures_json(std::span<const Failed> failures) {
  Json json = Json::array();
  for (const Failed& each : failures)
    json.push_back({{"tunnel", each.tunnel}, {"work", each.work}, {"reason", each.reason}});
  return json;
}

std::string number(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

/// Quotes a field with a comma or a quote (RFC 4180 2).
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string{"\"\""} : std::string{c};
  return quoted + "\"";
}

/// `begin`: the fields before the name of the figure.
std::string csv_lines(const std::string& begin, std::span<const Figure> figures,
                      const CpuUse& cpu) {
  std::string text;
  for (const Figure& figure : figures)
    text += begin + figure.name + "," + number(figure.value) + "\n";
  for (std::size_t part = 0; part < kParts; ++part)
    text += begin + "cpus_" + std::string{kPartNames[part]} + "," + number(cpu.cpus[part]) + "\n";
  return text;
}

}  // namespace

std::string to_json(const Report& report) {
  Json turns = Json::array();
  for (const Turn& turn : report.turns) turns.push_back(turn_json(turn));
  Json medians = Json::array();
  for (const Summary& summary : summarize(report)) medians.push_back(summary_json(summary, report));
  const Json json{{"settings", settings_json(report)},
                  {"turns", turns},
                  {"medians", medians},
                  {"left_out", failures_json(report.left_out)},
                  {"failed", failures_json(report.failed)}};
  return json.dump(1) + "\n";
}

std::string to_csv(const Report& report) {
  std::string text = "round,turn,tunnel,work,figure,value\n";
  for (const Turn& turn : report.turns) {
    const std::string begin = std::to_string(turn.round) + "," + std::to_string(turn.turn) + "," +
                              field(turn.tunnel) + "," + turn.work + ",";
    text += csv_lines(begin, turn.figures, turn.cpu);
  }
  for (const Summary& summary : summarize(report)) {
    const std::string begin = "median,," + field(summary.tunnel) + "," + summary.work + ",";
    text += csv_lines(begin, summary.figures, summary.cpu);
  }
  return text;
}

}  // namespace culvert::bench
