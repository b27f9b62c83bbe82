// SPDX-License-Identifier: MIT
#include "cli/completion.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "capture/capture_config.hpp"
#include "cli/load.hpp"
#include "triggers/trigger_config.hpp"

namespace action_triggers::cli {
namespace {

bool is_option(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

/// The event names that a file's active triggers have, without patterns.
Names events_in(const Config& config) {
  Names names;
  const auto* const section = config.section<detail::TriggersConfig>();
  if (section == nullptr) return names;
  for (const detail::TriggerConfig& trigger : section->triggers) {
    if (!trigger.active) continue;
    for (const std::string& event : trigger.events) {
      if (event.find_first_of("*#") == std::string::npos) names.insert(event);
    }
  }
  return names;
}

Names captures_in(const Config& config) {
  Names names;
  const auto* const section = config.section<detail::CaptureConfig>();
  if (section == nullptr) return names;
  for (const detail::TableCapture& capture : section->tables) names.insert(capture.name);
  return names;
}

class Completion {
 public:
  Completion(const CLI::App& app, const Actions& actions, const std::vector<std::string>& words)
      : app_(app), actions_(actions) {
    if (words.empty()) return;
    word_ = words.back();
    for (std::size_t i = 0; i + 1 < words.size(); ++i) read(words[i]);
  }

  std::vector<std::string> offered() {
    if (valued_ != nullptr) {
      offer_values(valued_->get_lnames().front());
    } else if (is_option(word_) || word_ == "-") {
      offer_options(command_ == nullptr ? app_ : *command_);
    } else if (command_ == nullptr) {
      for (const CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; })) {
        offer(command->get_name(), command->get_description());
      }
    } else if (const std::string name = next_argument(); name == "ACTION") {
      for (const Action& action : actions_.at(command_->get_name())) offer(action.name, action.does);
    } else {
      offer_values(name);
    }
    return std::move(offered_);
  }

 private:
  /// A word before the one that is to be completed.
  void read(const std::string& word) {
    if (valued_ != nullptr) {
      valued_ = nullptr;
    } else if (is_option(word)) {
      const CLI::Option* const option =
          command_ == nullptr || word.find('=') != std::string::npos ? nullptr : command_->get_option_no_throw(word);
      if (option != nullptr && option->get_expected_max() > 0) valued_ = option;
    } else if (command_ == nullptr) {
      for (const CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; })) {
        if (command->get_name() == word) command_ = command;
      }
    } else {
      if (next_argument() == "FILE") file_ = word;
      ++arguments_;
    }
  }

  /// The name of the argument that the next word is: "FILE". Empty: there is none.
  [[nodiscard]] std::string next_argument() const {
    std::size_t left = arguments_;
    for (const CLI::Option* option : command_->get_options()) {
      if (!option->get_positional()) continue;
      if (left == 0 || option->get_expected_max() > 1) return option->get_name(true);
      --left;
    }
    return {};
  }

  void offer_options(const CLI::App& command) {
    for (const CLI::Option* option : command.get_options()) {
      if (option->nonpositional()) offer("--" + option->get_lnames().front(), option->get_description());
    }
  }

  /// Of an option, or of an argument.
  void offer_values(const std::string& name) {
    const std::string command = command_->get_name();
    if (name == "only" || name == "destination" || (name == "NAME" && command == "fire")) {
      offer_names(names_in, "broker");
    } else if (name == "NAME") {
      offer_names(captures_in, "capture");
    } else if (name == "EVENT") {
      offer_names(events_in, "event");
    }
  }

  void offer_names(Names (*names_of)(const Config&), const std::string& what) {
    if (!file_ || *file_ == "-") return;  // what is typed next is no file
    const Loaded loaded = read_config(*file_, {.allow_unknown = true});
    if (!loaded.config) return;
    for (const std::string& name : names_of(*loaded.config)) offer(name, what);
  }

  void offer(const std::string& word, const std::string& what) {
    if (!word.starts_with(word_) || word.find_first_of("\t\n") != std::string::npos) return;
    offered_.push_back(word + "\t" + what);
  }

  const CLI::App& app_;
  const Actions& actions_;
  std::string word_;
  const CLI::App* command_ = nullptr;
  const CLI::Option* valued_ = nullptr;  // the word is its value
  std::size_t arguments_ = 0;            // of the command, before the word
  std::optional<std::string> file_;
  std::vector<std::string> offered_;
};

}  // namespace

std::vector<std::string> completions(const CLI::App& app, const Actions& actions,
                                     const std::vector<std::string>& words) {
  return Completion(app, actions, words).offered();
}

}  // namespace action_triggers::cli
