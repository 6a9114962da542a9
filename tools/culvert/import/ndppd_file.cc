#include "tools/culvert/import/ndppd_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tools/culvert/config/parse_value.h"

namespace culvert::program {
namespace {

using Statements = std::vector<NdppdStatement>;

/// Three are enough for what either program knows.
constexpr unsigned kMaxDepth = 8;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

class Reader {
 public:
  Reader(std::string_view text, std::string_view file, NdppdDialect dialect)
      : text_(text), file_(file), dialect_(dialect) {}

  Result<Statements> read() {
    auto statements = read_block(0, 0);
    if (!statements || at_end()) return statements;
    return refuse(line_, "this '}' closes nothing: ndppd reads no further than here, so remove it");
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char here() const { return at_end() ? '\0' : text_[at_]; }
  [[nodiscard]] bool starts(std::string_view what) const {
    return text_.substr(std::min(at_, text_.size())).starts_with(what);
  }
  [[nodiscard]] bool is_old() const { return dialect_ == NdppdDialect::v0_2; }
  char take() {
    if (here() == '\n') ++line_;
    return text_[at_++];
  }

  [[nodiscard]] Unexpected<Error> refuse(unsigned line, std::string text) const {
    return Unexpected{Error{.code = 0,
                            .operation = "read",
                            .object = std::string{file_} + ", line " + std::to_string(line),
                            .advice = std::move(text)}};
  }
  Result<void> skip(bool over_lines);
  Result<void> skip_comment();
  Result<Statements> read_block(unsigned depth, unsigned opened_in);
  Result<NdppdStatement> read_statement(unsigned depth);
  Result<std::string> read_value();
  Result<std::string> read_quoted();
  [[nodiscard]] std::string read_key();
  [[nodiscard]] Unexpected<Error> refuse_no_key() const;

  std::string_view text_, file_;
  NdppdDialect dialect_;
  std::size_t at_ = 0;
  unsigned line_ = 1;
};

/// Blanks and comments, and the ends of lines if they are meant too.
Result<void> Reader::skip(bool over_lines) {
  while (!at_end()) {
    if (is_blank(here()) || (over_lines && here() == '\n')) {
      take();
    } else if (here() == '#' || (is_old() && (starts("//") || starts("/*")))) {
      if (auto done = skip_comment(); !done) return done;
    } else {
      break;
    }
  }
  return {};
}

Result<void> Reader::skip_comment() {
  if (!starts("/*")) {
    while (!at_end() && here() != '\n') take();
    return {};
  }
  const unsigned begun_in = line_;
  const std::size_t end = text_.find("*/", at_ + 1);  // so that "/*/" is a whole comment, as there
  if (end == std::string_view::npos) {
    return refuse(begun_in, "the comment that begins here has no end: write */ behind it");
  }
  while (at_ < end + 2) take();
  return {};
}

/// Up to its '}', which is taken; at depth 0 up to the end, or to a '}' too many.
Result<Statements> Reader::read_block(unsigned depth, unsigned opened_in) {
  if (depth > kMaxDepth) return refuse(line_, "there are too many blocks in each other");
  Statements statements;
  while (true) {
    if (auto done = skip(true); !done) return Unexpected{done.error()};
    if (at_end() && depth > 0) {
      return refuse(opened_in, "the '{' of this line is not closed: write a '}' behind its block");
    }
    if (at_end() || (here() == '}' && depth == 0)) return statements;
    if (here() == '}') {
      take();
      return statements;
    }
    auto statement = read_statement(depth);
    if (!statement) return Unexpected{statement.error()};
    statements.push_back(std::move(*statement));
  }
}

Result<NdppdStatement> Reader::read_statement(unsigned depth) {
  NdppdStatement statement{.key = read_key(), .value = {}, .line = line_, .block = {}};
  if (statement.key.empty()) return refuse_no_key();
  if (auto done = skip(false); !done) return Unexpected{done.error()};
  if (is_old() && here() == '=') {
    take();
    if (auto done = skip(false); !done) return Unexpected{done.error()};
  }
  auto value = read_value();
  if (!value) return Unexpected{value.error()};
  statement.value = std::move(*value);
  if (auto done = skip(false); !done) return Unexpected{done.error()};
  if (here() == '{') {
    take();
    auto block = read_block(depth + 1, statement.line);
    if (!block) return Unexpected{block.error()};
    statement.block = std::move(*block);
    if (auto done = skip(false); !done) return Unexpected{done.error()};
  }
  if (!is_old() && !at_end() && here() != '\n' && here() != '}') {
    return refuse(line_, "more stands behind " + quoted(statement.key) +
                             " than belongs to it: ndppd 1.0 wants a new line there");
  }
  return statement;
}

std::string Reader::read_key() {
  std::string key;
  if (!is_old() && !is_letter(here())) return key;
  const std::string_view others = is_old() ? "_-" : "$-_.";
  while (!at_end() &&
         (is_letter(here()) || is_digit(here()) || others.find(here()) != std::string_view::npos)) {
    key += take();
  }
  return key;
}

Unexpected<Error> Reader::refuse_no_key() const {
  if (here() == '{') {
    return refuse(line_,
                  "this '{' is not in the line of its key: ndppd reads the key without a block, so "
                  "move it there");
  }
  return refuse(line_, "a key should stand here, and " + quoted(text_.substr(at_, 1)) +
                           " begins none: remove it, or make it a comment with #");
}

Result<std::string> Reader::read_value() {
  if (is_old() && (here() == '\'' || here() == '"')) return read_quoted();
  std::string value;
  const std::string_view ends = is_old() ? "{}" : "{}#";
  // Printable ASCII without the blank, as isgraph() has it.
  while (!at_end() && here() > ' ' && here() < 127 && ends.find(here()) == std::string_view::npos) {
    value += take();
  }
  return value;
}

Result<std::string> Reader::read_quoted() {
  const char quote = take();
  std::string value;
  while (!at_end() && here() != quote && here() != '\n') value += take();
  if (here() != quote) return refuse(line_, "a quoted value has no second quote in its line");
  take();
  return value;
}

// ---- which of the two
// -----------------------------------------------------------------------------
/// A key that only one of the two knows there.
struct Mark {
  std::string_view key;
  unsigned depth;  ///< 0: top, 1: proxy, 2: rule
  NdppdDialect dialect;
};
constexpr auto kMarks = std::to_array<Mark>({
    {"route-ttl", 0, NdppdDialect::v0_2},    {"address-ttl", 0, NdppdDialect::v0_2},
    {"timeout", 1, NdppdDialect::v0_2},      {"ttl", 1, NdppdDialect::v0_2},
    {"deadtime", 1, NdppdDialect::v0_2},     {"retries", 1, NdppdDialect::v0_2},
    {"autowire", 1, NdppdDialect::v0_2},     {"keepalive", 1, NdppdDialect::v0_2},
    {"promiscuous", 1, NdppdDialect::v0_2},  {"autovia", 2, NdppdDialect::v0_2},
    {"valid-ttl", 0, NdppdDialect::v1_0},    {"invalid-ttl", 0, NdppdDialect::v1_0},
    {"renew", 0, NdppdDialect::v1_0},        {"retrans-limit", 0, NdppdDialect::v1_0},
    {"retrans-time", 0, NdppdDialect::v1_0}, {"keepalive", 0, NdppdDialect::v1_0},
    {"use-kernel", 0, NdppdDialect::v1_0},   {"target", 1, NdppdDialect::v1_0},
    {"target", 2, NdppdDialect::v1_0},       {"autowire", 2, NdppdDialect::v1_0},
    {"table", 2, NdppdDialect::v1_0},        {"rewrite", 2, NdppdDialect::v1_0},
});

const Mark* find_mark(const Statements& statements, NdppdDialect dialect, unsigned depth = 0) {
  for (const NdppdStatement& each : statements) {
    const auto* mark = std::find_if(kMarks.begin(), kMarks.end(), [&](const Mark& candidate) {
      return candidate.dialect == dialect && candidate.depth == depth && candidate.key == each.key;
    });
    if (mark != kMarks.end()) return mark;
    if (!each.block) continue;
    if (const Mark* inner = find_mark(*each.block, dialect, depth + 1)) return inner;
  }
  return nullptr;
}

}  // namespace

Result<NdppdFile> read_ndppd(std::string_view text, std::string_view file) {
  // 0.2's language has nearly all of 1.0's in it: read so, the keys tell which it is. A key of 0.2
  // decides, since 1.0 would refuse it and 0.2 ignores those of 1.0.
  auto statements = Reader{text, file, NdppdDialect::v0_2}.read();
  if (!statements) return Unexpected{statements.error()};
  NdppdFile result;
  result.statements = std::move(*statements);
  if (const Mark* old = find_mark(result.statements, NdppdDialect::v0_2)) {
    result.told_by = old->key;
  } else if (const Mark* newer = find_mark(result.statements, NdppdDialect::v1_0)) {
    result.told_by = newer->key;
    result.dialect = NdppdDialect::v1_0;
    statements = Reader{text, file, NdppdDialect::v1_0}.read();
    if (!statements) return Unexpected{statements.error()};
    result.statements = std::move(*statements);
  }
  return result;
}

}  // namespace culvert::program
