// SPDX-License-Identifier: MIT
/// Texts that are JSON, or nearly: what two readers are compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace action_triggers::tests {

/// Every run has the same texts: the seed is our own.
class MutatedJson {
 public:
  std::string next() {
    std::string text = seeds_[below(seeds_.size())];
    for (std::size_t changes = below(4); changes > 0; --changes) {
      const std::string& piece = pieces_[below(pieces_.size())];
      text.replace(below(text.size() + 1), below(2), piece);
    }
    return text;
  }

 private:
  std::size_t below(std::size_t limit) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>(state_ >> 33U) % limit;
  }

  std::uint64_t state_ = 1;
  const std::vector<std::string> seeds_{R"({"a":[1,-2.5e3,true,null],"b":{"c":"d\n\u00e9"}})",
                                        R"([[],{},"",0,-0,0.0,1e5])",
                                        R"("x")",
                                        "12",
                                        " null ",
                                        "{}"};
  const std::vector<std::string> pieces_{"{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         ":",
                                         " ",
                                         "\n",
                                         "\"a\"",
                                         "\"b\"",
                                         "\"",
                                         "\\",
                                         "\\u00e9",
                                         "\\ud83d\\ude00",
                                         "\\ud83d",
                                         "\\ude00",
                                         "0",
                                         "-",
                                         "1.5",
                                         "2e3",
                                         "01",
                                         ".",
                                         "e",
                                         "+",
                                         "true",
                                         "false",
                                         "null",
                                         "nul",
                                         "é",
                                         "\xC3",
                                         "\xED\xA0\x80",
                                         "\xF0\x9F\x98\x80",
                                         "\xF4\x90\x80\x80",
                                         "\t",
                                         "'"};
};

}  // namespace action_triggers::tests
