# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What bash offers after `action-triggers`: commands and options as --help names them, files, brokers and events of the file.
_action_triggers() {
  local command=$1 word=$2 before=$3 verb='' file='' at
  for ((at = 1; at < COMP_CWORD; ++at)); do
    if [[ ${COMP_WORDS[at]} != -* && -z $verb ]]; then
      verb=${COMP_WORDS[at]}
    elif [[ ${COMP_WORDS[at]} != -* && -z $file && -r ${COMP_WORDS[at]} ]]; then
      file=${COMP_WORDS[at]}
    fi
  done
  local offered=()
  if [[ $word == -* ]]; then
    mapfile -t offered < <("$command" ${verb:+"$verb"} --help 2>/dev/null | grep -oE -- '(^|[ ,])--[a-z-]+' | tr -d ' ,')
  elif [[ -z $verb ]]; then
    mapfile -t offered < <("$command" --help 2>/dev/null | sed -nE '/^subcommands:/I,$s/^  ([a-z-]+) .*/\1/p')
  elif [[ ($verb == outbox || $verb == dead || $verb == capture) && $before == "$verb" ]]; then
    mapfile -t offered < <("$command" "$verb" --help 2>/dev/null | sed -nE 's/^  ACTION .*\{([a-z,]+)\}.*/\1/p' | tr , '\n')
  elif [[ -n $file && ($before == --only || $before == --destination || ($verb == fire && $before == "$file")) ]]; then
    mapfile -t offered < <("$command" check --json --allow-unknown-resolvers "$file" 2>/dev/null |
      grep -oE '"name":"[^"\\]+"' | cut -d'"' -f4)
  elif [[ -n $file && ($verb == emit || $verb == explain) && $before == "$file" ]]; then
    mapfile -t offered < <("$command" explain --json "$file" 2>/dev/null | grep -oE '"events":\[[^]]*\]' |
      cut -d[ -f2 | tr , '\n' | grep -v '[*#\\]' | tr -d ']"' | sort -u)
  fi
  COMPREPLY=()
  for at in "${offered[@]}"; do
    if [[ $at == "$word"* ]]; then COMPREPLY+=("$(printf %q "$at")"); fi
  done
  # Without a reply bash completes the name of a file.
}
complete -o default -F _action_triggers action-triggers
