// action-triggers check|ping|fire: tries a configuration before it goes to production.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "cli/commands.hpp"

int main(int argc, char** argv) {
  using namespace action_triggers::cli;
  CLI::App app("Tries configurations of action_triggers: checks the file, pings its brokers, fires messages.");
  app.set_version_flag("--version", ACTION_TRIGGERS_VERSION);
  app.require_subcommand(1);
  app.footer("Exit status: 0 all well; 1 what was asked for did not succeed; 2 wrong usage or unreadable file.");
  int exit_status = all_well;

  CheckOptions check_options;
  CLI::App* check_command = app.add_subcommand("check", "Reports every problem of a configuration file");
  check_command->add_option("FILE", check_options.file, "The configuration")->required();
  check_command->add_flag("--json", check_options.json, "Print JSON");
  check_command->callback([&] { exit_status = check(check_options); });

  PingCommandOptions ping_options;
  CLI::App* ping_command =
      app.add_subcommand("ping", "Connects, authenticates, and proves that the destinations exist");
  ping_command->add_option("FILE", ping_options.file, "The configuration")->required();
  ping_command->add_option("NAME", ping_options.names, "The brokers to ping (default: all)");
  ping_command->add_flag("--send", ping_options.send,
                         "Really send a marked test message, and read it back where that takes nothing from anyone");
  ping_command->add_option("--timeout", ping_options.timeout_secs, "Seconds for each broker")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  ping_command->add_flag("--json", ping_options.json, "Print JSON");
  ping_command->callback([&] { exit_status = ping(ping_options); });

  FireOptions fire_options;
  std::string body;
  std::string from_stdin;
  CLI::App* fire_command = app.add_subcommand("fire", "Fires one message, or one for each line of standard input");
  fire_command->add_option("FILE", fire_options.file, "The configuration")->required();
  fire_command->add_option("NAME", fire_options.name, "The broker to fire at")->required();
  CLI::Option* body_option = fire_command->add_option("--body", body, "The message; without it, lines are read");
  fire_command->add_option("LINES", from_stdin, "- for standard input (the default without --body)")
      ->check(CLI::IsMember({"-"}))
      ->excludes(body_option);
  fire_command->add_option("--key", fire_options.key, "Kafka record key, or RabbitMQ routing key");
  fire_command->add_option("--header", fire_options.headers, "NAME=VALUE; may be repeated")->take_all();
  fire_command->add_option("--content-type", fire_options.content_type, "A MIME type");
  fire_command->add_option("--id", fire_options.id, "The message id (default: a UUIDv7)")->needs(body_option);
  fire_command->add_flag("--json", fire_options.json, "Print JSON");
  fire_command->add_flag("--verbose", fire_options.verbose, "The library's log on standard error");
  fire_command->callback([&] {
    if (body_option->count() > 0) fire_options.body = body;
    exit_status = fire(fire_options);
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? all_well : wrong_usage;
  } catch (const std::exception& error) {
    std::cerr << "action-triggers: " << error.what() << '\n';
    return not_succeeded;
  }
  return exit_status;
}
