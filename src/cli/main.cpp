// SPDX-License-Identifier: MIT
// action-triggers: tries a configuration before it goes to production, and looks after its outbox.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iomanip>
#include <iostream>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "action_triggers/status.hpp"
#include "base/suggestion.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/completion.hpp"
#include "cli/man_page.hpp"
#include "cli/metrics_server.hpp"
#include "cli/output.hpp"

namespace action_triggers::cli {
namespace {

/// A number in these bounds. (CLI::Range takes NaN for one: it is neither below nor above.)
template <class Number>
CLI::Validator between(Number least, Number most) {
  std::ostringstream range;
  range << std::setprecision(15) << "from " << least << " to " << most;
  const auto check = [=, range = range.str()](const std::string& text) {
    const auto number = detail::parse_number<Number>(text);
    return number && *number >= least && *number <= most ? std::string() : "'" + text + "' is no number " + range;
  };
  return CLI::Validator(check, range.str());
}

constexpr std::uint64_t most_messages = 1'000'000'000'000;
constexpr std::int64_t most_seconds_ago = 100'000'000'000;  // three thousand years

/// What an unset variable of a script gives would mean other dead letters than those that were meant, or all of them.
CLI::Validator not_empty() {
  return {[](const std::string& text) { return std::string(text.empty() ? "is empty" : ""); }, ""};
}

/// What a dead letter may have died of.
std::vector<std::string> statuses() {
  std::vector<std::string> names{"poisoned"};
  for (std::size_t code = 1; code < status_code_count; ++code) {  // 0 is ok
    names.emplace_back(to_string(static_cast<StatusCode>(code)));
  }
  return names;
}

/// An option that only these of a command's actions heed. Whoever gives it to another one expects something of it.
void only_for(const CLI::App& command, const std::string& action, const char* option,
              std::initializer_list<std::string_view> actions) {
  if (command.get_option(option)->count() == 0 || std::find(actions.begin(), actions.end(), action) != actions.end())
    return;
  throw CLI::ValidationError(option, "'" + command.get_name() + " " + action + "' does not have this option");
}

// What a command line becomes, and what its command returned.
struct CommandLine {
  CheckOptions check_options;
  PingCommandOptions ping_options;
  FireOptions fire_options;
  ExplainOptions explain_options;
  EmitOptions emit_options;
  ImportDatOptions import_dat_options;
  OutboxOptions outbox_options;
  RelayOptions relay_options;
  DeadOptions dead_options;
  CaptureOptions capture_options;
  Actions actions;
  std::string body;
  std::string from_stdin;
  ExitCode exit_code = ExitCode::success;
};

void add_action(CLI::App& command, CommandLine& line, std::string& action, const std::vector<Action>& actions) {
  std::string text;
  std::vector<std::string> names;
  for (const Action& one : actions) {
    text += (text.empty() ? "" : "; ") + one.name + ": " + one.does;
    names.push_back(one.name);
  }
  command.add_option("ACTION", action, text)->required()->check(CLI::IsMember(names));
  line.actions[command.get_name()] = actions;
}

void add_check(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("check", "Reports every problem of configuration files");
  command->add_option("FILE", line.check_options.files, "Configurations; - for standard input")->required();
  command->add_flag("--allow-unknown-resolvers", line.check_options.allow_unknown,
                    "Resolvers, names and broker types of another program are warnings, and what they stand for is not "
                    "checked");
  command->add_flag("--json", line.check_options.json, "Print JSON");
  command->callback([&line] { line.exit_code = check(line.check_options); });
}

void add_ping(CLI::App& app, CommandLine& line) {
  PingCommandOptions& options = line.ping_options;
  CLI::App* command = app.add_subcommand("ping", "Connects, authenticates, and proves that the destinations exist");
  command->add_option("FILE", options.files, "Configurations; - for standard input")->required();
  command->add_option("--only", options.names, "A broker to ping (default: all); may be repeated")
      ->take_all()
      ->allow_extra_args(false);
  command->add_flag("--send", options.send,
                    "Really send a marked test message, and read it back where that takes nothing from anyone");
  command->add_option("--timeout", options.timeout_secs, "Seconds for each broker")
      ->check(between(0.1, 3600.0))
      ->capture_default_str();
  command->add_flag("--json", options.json, "Print JSON");
  command->callback([&line] { line.exit_code = ping(line.ping_options); });
}

/// What a message has beside its payload. Gives the option of its id.
CLI::Option* add_message_options(CLI::App& command, MessageOptions& options) {
  command.add_option("--key", options.key, "Kafka record key, or RabbitMQ routing key");
  command.add_option("--header", options.headers, "NAME=VALUE; may be repeated")->take_all()->allow_extra_args(false);
  command.add_option("--content-type", options.content_type, "A MIME type");
  return command.add_option("--id", options.id, "The message id (default: a UUIDv7)");
}

void add_metrics_option(CLI::App& command, std::string& address) {
  command
      .add_option("--metrics", address,
                  "Serve GET /metrics (for Prometheus) and /healthz while it runs, at PORT of this machine only, or at "
                  "HOST:PORT")
      ->check([](const std::string& text) {
        return metrics_address_of(text) ? std::string() : "'" + text + "' is not PORT or HOST:PORT";
      });
}

void add_fire(CLI::App& app, CommandLine& line) {
  FireOptions& options = line.fire_options;
  CLI::App* command = app.add_subcommand(
      "fire", "Fires one message, or one for each line of standard input (SIGHUP then reloads FILE)");
  command->add_option("FILE", options.file, "The configuration; - for standard input, with --body")->required();
  command->add_option("NAME", options.name, "The broker to fire at")->required();
  CLI::Option* body = command->add_option("--body", line.body, "The message; without it, lines are read");
  command->add_option("LINES", line.from_stdin, "- for standard input (the default without --body)")
      ->check(CLI::IsMember({"-"}))
      ->excludes(body);
  add_message_options(*command, options)->needs(body);
  command->add_flag("--json", options.json, "Print JSON");
  command->add_option("--timeout", options.timeout_secs, "Seconds from fire to outcome, instead of the configuration's")
      ->check(between(0.001, 31'536'000.0));
  command->add_option("--count", options.count, "Fire --body so many times, or at most so many lines")
      ->check(between(std::uint64_t{1}, most_messages));
  command->add_option("--rate", options.rate, "At most so many messages a second")->check(between(0.001, 1e9));
  add_metrics_option(*command, options.metrics);
  command->add_flag("--verbose", options.verbose, "The library's log on standard error");
  command->callback([&line, body] {
    if (body->count() > 0) line.fire_options.body = line.body;
    line.exit_code = fire(line.fire_options);
  });
}

void add_explain(CLI::App& app, CommandLine& line) {
  ExplainOptions& options = line.explain_options;
  CLI::App* command = app.add_subcommand(
      "explain",
      "Shows the triggers, or what an event would send where and why, with where each setting comes from; "
      "sends nothing");
  command->add_option("FILE", options.file, "The configuration; - for standard input")->required();
  command->add_option("EVENT", options.event, "The event's name; without it all triggers are shown");
  CLI::Option* body = command->add_option("--body", line.body, "The event's payload");
  command->add_option("--payload", options.payload_file, "The file that has it; - for standard input")->excludes(body);
  add_message_options(*command, options);
  command->add_flag("--defaults", options.defaults, "Show what defaults are; with --json they are always there");
  command->add_flag("--json", options.json, "Print JSON");
  command->callback([&line, body] {
    if (body->count() > 0) line.explain_options.body = line.body;
    line.exit_code = explain(line.explain_options);
  });
}

void add_emit(CLI::App& app, CommandLine& line) {
  EmitOptions& options = line.emit_options;
  CLI::App* command = app.add_subcommand("emit",
                                         "Emits one event to the targets of all triggers that it matches, or one for "
                                         "each line of standard input (SIGHUP then "
                                         "reloads FILE)");
  command->add_option("FILE", options.file, "The configuration; - for standard input, with --body or --payload")
      ->required();
  command->add_option("EVENT", options.event, "The event's name")->required();
  CLI::Option* body = command->add_option("--body", line.body, "The event's payload; without one, lines are read");
  CLI::Option* payload =
      command->add_option("--payload", options.payload_file, "The file that has it; - for standard input as a whole")
          ->excludes(body);
  command->add_option("LINES", line.from_stdin, "- for standard input (the default without a payload)")
      ->check(CLI::IsMember({"-"}))
      ->excludes(body)
      ->excludes(payload);
  add_message_options(*command, options);
  command->add_flag("--json", options.json, "Print JSON");
  add_metrics_option(*command, options.metrics);
  command->add_flag("--verbose", options.verbose, "The library's log on standard error");
  command->callback([&line, body] {
    if (body->count() > 0) line.emit_options.body = line.body;
    line.exit_code = emit(line.emit_options);
  });
}

void add_import_dat(CLI::App& app, CommandLine& line) {
  ImportDatOptions& options = line.import_dat_options;
  CLI::App* command = app.add_subcommand(
      "import-dat", "Makes a configuration from the triggers that django-action-triggers keeps in its database");
  command
      ->add_option("DUMP", options.file,
                   "What manage.py dumpdata contenttypes action_triggers printed; - for standard input")
      ->required();
  command->add_option("--settings", options.settings, "ACTION_TRIGGERS of the project's settings, as a JSON file");
  command->add_option("--out", options.out, "The file to write (default: standard output)");
  command->callback([&line] { line.exit_code = import_dat(line.import_dat_options); });
}

void add_outbox(CLI::App& app, CommandLine& line) {
  OutboxOptions& options = line.outbox_options;
  CLI::App* command = app.add_subcommand("outbox", "The tables of the outbox");
  add_action(*command, line, options.action,
             {{"schema", "prints the SQL that makes them"},
              {"install", "runs it"},
              {"status", "shows what waits in them, and who sends it"},
              {"verify", "looks whether they are as they should be"}});
  command->add_option("FILE", options.file, "The configuration; - for standard input")->required();
  command->add_flag("--json", options.json, "Print JSON");
  command->callback([&line, command] {
    only_for(*command, line.outbox_options.action, "--json", {"install", "status", "verify"});
    line.exit_code = outbox(line.outbox_options);
  });
}

void add_relay(CLI::App& app, CommandLine& line) {
  RelayOptions& options = line.relay_options;
  CLI::App* command = app.add_subcommand(
      "relay",
      "Sends what applications write to the outbox, until SIGTERM or SIGINT; SIGHUP reloads the configuration");
  command->add_option("FILE", options.file, "The configuration")->required();
  command->add_flag("--once", options.once, "End when everything is sent");
  command->add_option("--close", options.close_secs, "At the end, seconds for what is under way")
      ->check(between(0.0, 3600.0))
      ->capture_default_str();
  add_metrics_option(*command, options.metrics);
  command->add_flag("--verbose", options.verbose, "All of the library's log on standard error");
  command->callback([&line] { line.exit_code = relay(line.relay_options); });
}

void add_dead(CLI::App& app, CommandLine& line) {
  DeadOptions& options = line.dead_options;
  CLI::App* command = app.add_subcommand("dead", "The dead letters of the outbox: messages that were given up");
  add_action(*command, line, options.action,
             {{"list", "a line for each, the oldest 100 if --limit says nothing else"},
              {"show", "all there is of the one with --id"},
              {"count", "how many there are"},
              {"replay", "puts them back into the outbox, which sends them again"},
              {"drop", "removes them for good"},
              {"export", "prints all of them, a line of JSON each"}});
  command->add_option("FILE", options.file, "The configuration; - for standard input")->required();
  command->add_option("--id", options.id, "The one that list has with this number")
      ->check(between(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()));
  command->add_option("--destination", options.destination, "Those of this destination")->check(not_empty());
  command->add_option("--status", options.status, "Those that failed with this status")
      ->check(CLI::IsMember(statuses()));
  command->add_option("--key", options.key, "Those with this key");
  command->add_option("--match", options.match, "Those with this text in their reason")->check(not_empty());
  command->add_option("--older", options.older_secs, "Those that died so many seconds ago, or longer")
      ->check(between(std::int64_t{0}, most_seconds_ago));
  command->add_option("--limit", options.limit, "At most so many, the oldest")
      ->check(between(std::uint64_t{1}, most_messages));
  command->add_option("--rate", options.rate, "Of replay: at most so many messages a second")
      ->check(between(0.001, 1e9));
  command->add_flag("--all", options.all, "Of drop: all there are");
  command->add_flag("--dry-run", options.dry_run, "Of replay and drop: only say how many");
  command->add_flag("--json", options.json, "Print JSON");
  command->callback([&line, command] {
    const std::string& action = line.dead_options.action;
    only_for(*command, action, "--limit", {"list", "replay", "drop", "export"});
    only_for(*command, action, "--rate", {"replay"});
    only_for(*command, action, "--all", {"drop"});
    only_for(*command, action, "--dry-run", {"replay", "drop"});
    line.exit_code = dead(line.dead_options);
  });
}

void add_capture(CLI::App& app, CommandLine& line) {
  CaptureOptions& options = line.capture_options;
  CLI::App* command = app.add_subcommand("capture", "The SQL triggers that make events of changed rows");
  add_action(*command, line, options.action,
             {{"sql", "prints the SQL that makes them"},
              {"install", "makes them, and replaces those that are old"},
              {"uninstall", "removes them"},
              {"check", "looks whether they are as the configuration says"}});
  command->add_option("FILE", options.file, "The configuration; - for standard input")->required();
  command->add_option("NAME", options.names, "Entries of its section 'capture' (default: all)");
  command->add_flag("--uninstall", options.uninstall, "Of sql: the SQL that removes them");
  command->add_flag("--json", options.json, "Print JSON");
  command->callback([&line, command] {
    const std::string& action = line.capture_options.action;
    only_for(*command, action, "--uninstall", {"sql"});
    only_for(*command, action, "--json", {"install", "uninstall", "check"});
    line.exit_code = capture(line.capture_options);
  });
}

void add_schema(CLI::App& app, CommandLine& line) {
  app.add_subcommand("schema", "Prints the JSON schema of configurations, by which editors complete and check them")
      ->callback([&line] { line.exit_code = schema(); });
}

void add_man(CLI::App& app) {
  app.add_subcommand("man", "Prints the manual page; action-triggers man | man -l - shows it")->callback([&app] {
    std::cout << man_page(app);
  });
}

/// What the user may have meant by the first word that is no command, or the first unknown option of one.
std::string did_you_mean(const CLI::App& app, int argc, char** argv) {
  std::set<std::string, std::less<>> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.insert(command->get_name());
  const CLI::App* chosen = nullptr;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (chosen == nullptr && !word.starts_with('-')) {
      if (!commands.contains(word)) return detail::did_you_mean(word, commands);
      chosen = app.get_subcommand(word);
    } else if (word.starts_with("--")) {
      word.erase(0, 2);
      word.resize(std::min(word.find('='), word.size()));
      std::set<std::string, std::less<>> options;
      for (const CLI::Option* option : (chosen == nullptr ? &app : chosen)->get_options()) {
        for (const std::string& name : option->get_lnames()) options.insert(name);
      }
      if (options.contains(word)) continue;
      std::string question = detail::did_you_mean(word, options);
      if (const std::size_t quote = question.find('\''); quote != std::string::npos) question.insert(quote + 1, "--");
      return question;
    }
  }
  return {};
}

bool asked_for_json(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands()) {
    const CLI::Option* const json = command->get_option_no_throw("--json");
    if (json != nullptr && json->count() > 0) return true;
  }
  return false;
}

/// The number of one that the shell has closed (`>&-`) would be the next socket's or file's, and what is printed would
/// go there. What takes its place can be neither read nor written, as if it were closed.
void hold_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    static_cast<void>(::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY));  // the lowest free number
  }
}

ExitCode run(int argc, char** argv) {
  CLI::App app(
      "Tries configurations of action_triggers: checks the file, pings its brokers, fires messages, emits events. "
      "Looks "
      "after the outbox that a configuration has.");
  app.set_version_flag("--version", ACTION_TRIGGERS_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 all well; 1 what was asked for did not succeed; 2 wrong usage or unreadable file; "
      "128 and more: ended by a signal.");
  CommandLine line;
  add_check(app, line);
  add_ping(app, line);
  add_fire(app, line);
  add_emit(app, line);
  add_explain(app, line);
  add_outbox(app, line);
  add_relay(app, line);
  add_dead(app, line);
  add_capture(app, line);
  add_import_dat(app, line);
  add_schema(app, line);
  add_man(app);
  if (argc > 1 && std::string_view(argv[1]) == complete_command) {
    for (const std::string& offer : completions(app, line.actions, {argv + 2, argv + argc})) std::cout << offer << '\n';
    return ExitCode::success;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) == 0) return ExitCode::success;
    if (const std::string question = did_you_mean(app, argc, argv); !question.empty()) std::cerr << question << '\n';
    return ExitCode::wrong_usage;
  } catch (const std::exception& error) {
    if (asked_for_json(app)) std::cout << dump({{"ok", false}, {"error", error.what()}}) << '\n';
    std::cerr << "action-triggers: " << error.what() << '\n';
    return ExitCode::failure;
  }
  return line.exit_code;
}

}  // namespace
}  // namespace action_triggers::cli

int main(int argc, char** argv) {
  using action_triggers::cli::ExitCode;
  action_triggers::cli::hold_standard_descriptors();
  ExitCode exit_code = action_triggers::cli::run(argc, argv);
  if (!std::cout.flush()) {
    std::cerr << "action-triggers: standard output cannot be written to\n";
    if (exit_code == ExitCode::success) exit_code = ExitCode::failure;
  }
  return static_cast<int>(exit_code);
}
