#include "bench/e2e/server/report.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "bench/e2e/results.h"
#include "bench/e2e/text.h"

namespace culvert::bench::server {
namespace {

using Json = nlohmann::ordered_json;
using Bound = Target::Bound;

std::vector<const Sample*> samples_of(const Report& report, std::string_view work,
                                      std::string_view figure) {
  std::vector<const Sample*> found;
  for (const Sample& sample : report.samples) {
    if (sample.work == work && sample.figure == figure) found.push_back(&sample);
  }
  return found;
}

std::vector<double> ratios_of(const Report& report, std::string_view work,
                              const FigureKind& figure) {
  std::vector<double> ratios;
  const auto unders = samples_of(report, work, figure.under);
  for (const Sample* over : samples_of(report, work, figure.over)) {
    for (const Sample* under : unders) {
      if (under->round == over->round && under->turn == over->turn && under->value != 0)
        ratios.push_back(over->value / under->value);
    }
  }
  return ratios;
}

/// "at least 0.9"; empty without a target.
std::string target_text(const Target& target) {
  if (target.bound == Bound::none) return {};
  char text[64];
  std::snprintf(text, sizeof text, "%s %g",
                target.bound == Bound::at_least ? "at least" : "at most", target.value);
  return text;
}

std::string met_text(const Target& target, double value) {
  if (target.bound == Bound::none) return {};
  return target.is_met_by(value) ? "yes" : "no";
}

std::string table_of(const Report& report, const WorkKind& work) {
  std::vector<Row> table{{std::string{work.title}, "measured", "asked", "met"}};
  for (const FigureKind& figure : work.figures) {
    const auto value = value_of(report, work, figure);
    if (!value) continue;
    table.push_back({std::string{figure.title}, with_commas(*value, figure.decimals),
                     target_text(figure.target), met_text(figure.target, *value)});
  }
  return table.size() == 1 ? std::string{} : align(table) + "\n";
}

std::string notes(const Report& report) {
  std::string text = "Medians; ratios: medians of those of turns that followed each other. " +
                     with_commas(report.plan.counts.tunnels) + " tunnels; " +
                     to_text(report.machine);
  for (const Missing& each : report.left_out)
    text += each.work + ": without " + each.what + ": " + each.reason + "\n";
  for (const Missing& each : report.failed)
    text += "failed: " + each.work + ": " + each.reason + "\n";
  return text;
}

/// Rounds to three decimals; further digits are noise.
double rounded(double value) { return std::round(value * 1000) / 1000; }

Json figure_json(const Report& report, const WorkKind& work, const FigureKind& figure,
                 double value) {
  Json json{{"work", work.name},
            {"figure", figure.name},
            {"value", rounded(value)},
            {"samples", samples_of(report, work.name, figure.name).size()}};
  if (figure.target.bound == Bound::none) return json;
  json[figure.target.bound == Bound::at_least ? "at_least" : "at_most"] = figure.target.value;
  json["met"] = figure.target.is_met_by(value);
  return json;
}

Json missing_json(const std::vector<Missing>& missing) {
  Json json = Json::array();
  for (const Missing& each : missing)
    json.push_back({{"work", each.work}, {"what", each.what}, {"reason", each.reason}});
  return json;
}

Json settings_json(const Report& report) {
  Json options = Json::object();
  for (const auto& [name, value] : report.plan.options) options[name] = value;
  return {{"rounds", report.plan.rounds},
          {"seconds", report.plan.seconds},
          {"tunnels", report.plan.counts.tunnels},
          {"solicitations", report.plan.counts.solicitations},
          {"options", options},
          {"kernel", report.machine.kernel},
          {"cpus", report.machine.cpus},
          {"load_average_before", rounded(report.machine.load_average)}};
}

std::string csv_number(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

}  // namespace

std::optional<double> value_of(const Report& report, const WorkKind& work,
                               const FigureKind& figure) {
  std::vector<double> values;
  if (figure.over.empty()) {
    for (const Sample* sample : samples_of(report, work.name, figure.name))
      values.push_back(sample->value);
  } else {
    values = ratios_of(report, work.name, figure);
  }
  if (values.empty()) return std::nullopt;
  if (figure.is_sum) return std::accumulate(values.begin(), values.end(), 0.0);
  return median(std::move(values));
}

std::string one_line(const Report& report, const WorkKind& work) {
  std::string text;
  for (const FigureKind& figure : work.figures) {
    const auto value = value_of(report, work, figure);
    if (!value || figure.target.bound == Bound::none) continue;
    text += (text.empty() ? ": " : ", ") + std::string{figure.name} + " " +
            with_commas(*value, figure.decimals) + " (" + target_text(figure.target) + ")";
  }
  return std::string{work.name} + (text.empty() ? ": done" : text);
}

std::string to_table(const Report& report) {
  std::string text;
  for (const WorkKind& work : report.plan.works) text += table_of(report, work);
  return text + notes(report);
}

std::string to_json(const Report& report) {
  Json samples = Json::array();
  for (const Sample& sample : report.samples) {
    samples.push_back({{"round", sample.round},
                       {"turn", sample.turn},
                       {"work", sample.work},
                       {"figure", sample.figure},
                       {"value", rounded(sample.value)}});
  }
  Json figures = Json::array();
  for (const WorkKind& work : report.plan.works) {
    for (const FigureKind& figure : work.figures) {
      if (const auto value = value_of(report, work, figure))
        figures.push_back(figure_json(report, work, figure, *value));
    }
  }
  const Json json{{"settings", settings_json(report)},
                  {"samples", samples},
                  {"figures", figures},
                  {"left_out", missing_json(report.left_out)},
                  {"failed", missing_json(report.failed)}};
  return json.dump(1) + "\n";
}

std::string to_csv(const Report& report) {
  std::string text = "round,turn,work,figure,value,asked,met\n";
  for (const Sample& sample : report.samples) {
    text += std::to_string(sample.round) + "," + std::to_string(sample.turn) + "," + sample.work +
            "," + sample.figure + "," + csv_number(sample.value) + ",,\n";
  }
  for (const WorkKind& work : report.plan.works) {
    for (const FigureKind& figure : work.figures) {
      const auto value = value_of(report, work, figure);
      if (!value) continue;
      text += "median,," + std::string{work.name} + "," + std::string{figure.name} + "," +
              csv_number(*value) + "," + target_text(figure.target) + "," +
              met_text(figure.target, *value) + "\n";
    }
  }
  return text;
}

}  // namespace culvert::bench::server
