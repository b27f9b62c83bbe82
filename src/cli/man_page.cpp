// SPDX-License-Identifier: MIT
#include "cli/man_page.hpp"

#include <map>

namespace action_triggers::cli {
namespace {

/// Text as roff prints it: hyphens can be searched for and copied, and nothing is taken for a command of roff's.
std::string text_of(const std::string& text) {
  std::string escaped = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char c : text) {
    if (c == '-' || c == '\\') escaped += '\\';
    escaped += c == '\\' ? 'e' : c;
  }
  return escaped;
}

std::string bold(const std::string& text) { return "\\fB" + text_of(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + text_of(text) + "\\fR"; }

/// What stands behind an option: "SECONDS". Empty for a flag.
std::string value_of(const CLI::Option& option) {
  if (option.get_expected_max() == 0) return {};
  const std::map<std::string, std::string> names{
      {"only", "NAME"},     {"header", "NAME=VALUE"}, {"timeout", "SECONDS"}, {"count", "N"},
      {"rate", "N"},        {"payload", "FILE"},      {"settings", "FILE"},   {"out", "FILE"},
      {"close", "SECONDS"}, {"destination", "NAME"},  {"status", "STATUS"},   {"older", "SECONDS"},
      {"limit", "N"},       {"metrics", "ADDRESS"}};
  const auto found = names.find(option.get_lnames().front());
  return found == names.end() ? "TEXT" : found->second;
}

bool is_help(const CLI::Option& option) { return option.check_lname("help"); }

std::string described(const CLI::Option& option) {
  std::string text = option.get_description();
  if (!option.get_default_str().empty()) text += " (default: " + option.get_default_str() + ")";
  return text_of(text) + ".\n";
}

std::string usage(const CLI::App& command) {
  std::string text = bold("action-triggers") + " " + bold(command.get_name());
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) {
      const std::string name = italic(option->get_name(true)) + (option->get_expected_max() > 1 ? " ..." : "");
      text += option->get_required() ? " " + name : " [" + name + "]";
    }
  }
  const auto options =
      command.get_options([](const CLI::Option* option) { return option->nonpositional() && !is_help(*option); });
  return options.empty() ? text : text + " [" + italic("option") + " ...]";
}

std::string section_of(const CLI::App& command) {
  std::string text =
      ".SS " + command.get_name() + "\n" + usage(command) + "\n.PP\n" + text_of(command.get_description()) + ".\n";
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) {
      text += ".TP\n" + italic(option->get_name(true)) + "\n" + described(*option);
    } else if (!is_help(*option)) {
      const std::string value = value_of(*option);
      text += ".TP\n" + bold("--" + option->get_lnames().front()) + (value.empty() ? "" : " " + italic(value)) + "\n" +
              described(*option);
    }
  }
  return text;
}

constexpr const char* signals =
    "SIGINT and SIGTERM end fire, emit, relay and dead replay in good order, a second one at once. SIGHUP makes relay "
    "load its configuration again, and fire and emit while they read lines; the one before stays if the file is wrong.";

std::string example(const std::string& what, const std::string& line) {
  return ".TP\n" + text_of(what) + "\n" + bold(line) + "\n";
}

std::string examples() {
  return example("Is the file right, and are the brokers there?",
                 "action-triggers check brokers.json && action-triggers ping brokers.json") +
         example("Where would this event go, and why?",
                 "action-triggers explain brokers.json order.paid --payload order.json") +
         example("What waits in the outbox, what was given up, and why?",
                 "action-triggers outbox status brokers.json; action-triggers dead list brokers.json") +
         example("It is mended: send those of one destination again.",
                 "action-triggers dead replay brokers.json --destination order_mails --rate 100");
}

}  // namespace

std::string man_page(const CLI::App& app) {
  std::string text =
      ".\\\" Made by `action-triggers man`.\n.TH ACTION\\-TRIGGERS 1 \"\" \"action_triggers\"\n.SH NAME\n"
      "action\\-triggers \\- tries configurations of action_triggers\n.SH SYNOPSIS\n";
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* command : commands) text += usage(*command) + "\n.br\n";
  text += bold("action-triggers") + " " + bold("--version") + "\n.SH DESCRIPTION\n" + text_of(app.get_description()) +
          "\n.SH COMMANDS\n";
  for (const CLI::App* command : commands) text += section_of(*command);
  return text + ".SH EXIT STATUS\n" + text_of(app.get_footer()) + "\n.SH SIGNALS\n" + text_of(signals) +
         "\n.SH EXAMPLES\n" + examples();
}

}  // namespace action_triggers::cli
