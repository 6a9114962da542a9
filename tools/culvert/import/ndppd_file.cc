#include "tools/culvert/import/ndppd_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tools/culvert/config/parse_value.h"

namespace culvert::program {
namespace {

using Statements = std::vector<NdppdStatement>;

/// Both programs need at most three levels.
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
    return refuse(line_,
                  "this '}' closes no block, and ndppd ignores the rest of the file: remove it");
  }

 private:
  [[nodiscard]] bool at_end() const { return position_ >= text_.size(); }
  [[nodiscard]] char current() const { return at_end() ? '\0' : text_[position_]; }
  [[nodiscard]] bool starts_with(std::string_view prefix) const {
    return text_.substr(std::min(position_, text_.size())).starts_with(prefix);
  }
  [[nodiscard]] bool is_old() const { return dialect_ == NdppdDialect::v0_2; }
  char next() {
    if (current() == '\n') ++line_;
    return text_[position_++];
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
  std::size_t position_ = 0;
  unsigned line_ = 1;
};

/// Skips blanks and comments. `over_lines`: skips the ends of lines too.
Result<void> Reader::skip(bool over_lines) {
  while (!at_end()) {
    if (is_blank(current()) || (over_lines && current() == '\n')) {
      next();
    } else if (current() == '#' || (is_old() && (starts_with("//") || starts_with("/*")))) {
      if (auto done = skip_comment(); !done) return done;
    } else {
      break;
    }
  }
  return {};
}

Result<void> Reader::skip_comment() {
  if (!starts_with("/*")) {
    while (!at_end() && current() != '\n') next();
    return {};
  }
  const unsigned start_line = line_;
  const std::size_t end =
      text_.find("*/", position_ + 1);  // "/*/" is a whole comment, as for ndppd
  if (end == std::string_view::npos) {
    return refuse(start_line, "the comment that starts here has no end: write */ after it");
  }
  while (position_ < end + 2) next();
  return {};
}

/// Reads statements up to the '}' of the block, and the '}' itself. At depth 0 it reads up to the
/// end of the file, or up to a '}' that closes no block. `opened_in`: the line of the '{'.
Result<Statements> Reader::read_block(unsigned depth, unsigned opened_in) {
  if (depth > kMaxDepth) return refuse(line_, "the blocks are nested too deep: remove one of them");
  Statements statements;
  while (true) {
    if (auto done = skip(true); !done) return Unexpected{done.error()};
    if (at_end() && depth > 0) {
      return refuse(opened_in, "the '{' of this line is not closed: write a '}' after its block");
    }
    if (at_end() || (current() == '}' && depth == 0)) return statements;
    if (current() == '}') {
      next();
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
  if (is_old() && current() == '=') {
    next();
    if (auto done = skip(false); !done) return Unexpected{done.error()};
  }
  auto value = read_value();
  if (!value) return Unexpected{value.error()};
  statement.value = std::move(*value);
  if (auto done = skip(false); !done) return Unexpected{done.error()};
  if (current() == '{') {
    next();
    auto block = read_block(depth + 1, statement.line);
    if (!block) return Unexpected{block.error()};
    statement.block = std::move(*block);
    if (auto done = skip(false); !done) return Unexpected{done.error()};
  }
  if (!is_old() && !at_end() && current() != '\n' && current() != '}') {
    return refuse(line_, "there is more text after " + quoted(statement.key) +
                             ": start a new line, as ndppd 1.0 needs it");
  }
  return statement;
}

std::string Reader::read_key() {
  std::string key;
  if (!is_old() && !is_letter(current())) return key;
  const std::string_view others = is_old() ? "_-" : "$-_.";
  while (!at_end() && (is_letter(current()) || is_digit(current()) ||
                       others.find(current()) != std::string_view::npos)) {
    key += next();
  }
  return key;
}

Unexpected<Error> Reader::refuse_no_key() const {
  if (current() == '{') {
    return refuse(line_,
                  "this '{' is not in the line of its key, so ndppd ignores the block: move it to "
                  "that line");
  }
  return refuse(line_, "a key is expected here, but " + quoted(text_.substr(position_, 1)) +
                           " starts no key: remove it, or make it a comment with #");
}

Result<std::string> Reader::read_value() {
  if (is_old() && (current() == '\'' || current() == '"')) return read_quoted();
  std::string value;
  const std::string_view ends = is_old() ? "{}" : "{}#";
  // Printable ASCII characters except the blank, as isgraph() defines it.
  while (!at_end() && current() > ' ' && current() < 127 &&
         ends.find(current()) == std::string_view::npos) {
    value += next();
  }
  return value;
}

Result<std::string> Reader::read_quoted() {
  const char quote = next();
  std::string value;
  while (!at_end() && current() != quote && current() != '\n') value += next();
  if (current() != quote)
    return refuse(line_, "the quoted value has no second quote in its line: write the quote");
  next();
  return value;
}

// ---- the dialect --------------------------------------------------------------------------------
/// A key that shows the dialect by its name and its place.
struct Mark {
  std::string_view key;
  unsigned depth;  ///< 0: top, 1: proxy, 2: rule
  NdppdDialect dialect;
  /// The other dialect has a key of this name in another place, so the key may be misplaced.
  bool is_weak = false;
};
constexpr auto kMarks = std::to_array<Mark>({
    {"route-ttl", 0, NdppdDialect::v0_2},      {"address-ttl", 0, NdppdDialect::v0_2},
    {"timeout", 1, NdppdDialect::v0_2},        {"ttl", 1, NdppdDialect::v0_2},
    {"deadtime", 1, NdppdDialect::v0_2},       {"retries", 1, NdppdDialect::v0_2},
    {"autowire", 1, NdppdDialect::v0_2, true}, {"keepalive", 1, NdppdDialect::v0_2, true},
    {"promiscuous", 1, NdppdDialect::v0_2},    {"autovia", 2, NdppdDialect::v0_2},
    {"valid-ttl", 0, NdppdDialect::v1_0},      {"invalid-ttl", 0, NdppdDialect::v1_0},
    {"renew", 0, NdppdDialect::v1_0},          {"retrans-limit", 0, NdppdDialect::v1_0},
    {"retrans-time", 0, NdppdDialect::v1_0},   {"keepalive", 0, NdppdDialect::v1_0, true},
    {"use-kernel", 0, NdppdDialect::v1_0},     {"target", 1, NdppdDialect::v1_0},
    {"target", 2, NdppdDialect::v1_0},         {"autowire", 2, NdppdDialect::v1_0, true},
    {"table", 2, NdppdDialect::v1_0},          {"rewrite", 2, NdppdDialect::v1_0},
});

/// The first key of a file that is a mark of this dialect; null: there is none.
const NdppdStatement* find_mark(const Statements& statements, NdppdDialect dialect, bool is_weak,
                                unsigned depth = 0) {
  for (const NdppdStatement& each : statements) {
    const bool is_mark = std::any_of(kMarks.begin(), kMarks.end(), [&](const Mark& mark) {
      return mark.dialect == dialect && mark.is_weak == is_weak && mark.depth == depth &&
             mark.key == each.key;
    });
    if (is_mark) return &each;
    if (!each.block) continue;
    if (const auto* inner = find_mark(*each.block, dialect, is_weak, depth + 1)) return inner;
  }
  return nullptr;
}

std::string describe(const NdppdStatement& mark) {
  return quoted(mark.key) + " (line " + std::to_string(mark.line) + ")";
}

/// The keys that speak against the dialect of the file; empty: there are none.
std::string find_doubt(const Statements& statements, NdppdDialect dialect) {
  const bool is_old = dialect == NdppdDialect::v0_2;
  const NdppdDialect other = is_old ? NdppdDialect::v1_0 : NdppdDialect::v0_2;
  const std::string name = is_old ? "1.0" : "0.2";
  const NdppdStatement* mark = find_mark(statements, other, false);
  if (mark != nullptr) return "only ndppd " + name + " has the key " + describe(*mark);
  mark = find_mark(statements, other, true);
  if (mark == nullptr) return "";
  return "ndppd " + name + " has the key " + describe(*mark) + " in this place";
}

/// Finds the dialect of a file that is parsed as 0.2. ndppd 1.0 refuses a file with an unknown key
/// or with several statements in one line, but 0.2 ignores what it does not know. So a file is one
/// of 1.0 only if it has a key of 1.0, no key of 0.2, and the syntax of 1.0.
NdppdFile choose_dialect(Statements as_old, std::string_view text, std::string_view file) {
  NdppdFile result{.dialect = NdppdDialect::v0_2,
                   .dialect_reason = "no key shows the version",
                   .dialect_doubt = {},
                   .statements = std::move(as_old)};
  const auto has_key = [](const NdppdStatement& mark) {
    return "it has the key " + describe(mark);
  };
  bool is_guess = false;
  if (const auto* old = find_mark(result.statements, NdppdDialect::v0_2, false)) {
    result.dialect_reason = has_key(*old);
  } else if (const auto* newer = find_mark(result.statements, NdppdDialect::v1_0, false)) {
    auto as_new = Reader{text, file, NdppdDialect::v1_0}.read();
    if (as_new) {
      result.dialect = NdppdDialect::v1_0;
      result.dialect_reason = has_key(*newer);
      result.statements = std::move(*as_new);
    } else {
      result.dialect_reason =
          "ndppd 1.0 refuses " + as_new.error().object + ": " + as_new.error().advice;
    }
  } else {
    is_guess = true;
  }
  result.dialect_doubt = find_doubt(result.statements, result.dialect);
  if (is_guess && result.dialect_doubt.empty())
    result.dialect_doubt = "a file of ndppd 1.0 can look the same";
  return result;
}

}  // namespace

Result<NdppdFile> read_ndppd(std::string_view text, std::string_view file,
                             std::optional<NdppdDialect> dialect) {
  // The syntax of 0.2 includes nearly all of 1.0.
  auto statements = Reader{text, file, dialect.value_or(NdppdDialect::v0_2)}.read();
  if (!statements) return Unexpected{statements.error()};
  if (!dialect) return choose_dialect(std::move(*statements), text, file);
  return NdppdFile{.dialect = *dialect,
                   .dialect_reason = "--dialect says so",
                   .dialect_doubt = find_doubt(*statements, *dialect),
                   .statements = std::move(*statements)};
}

}  // namespace culvert::program
