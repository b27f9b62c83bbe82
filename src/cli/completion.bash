# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What bash offers after `action-triggers`: the command itself says it. Without an offer bash completes the name of a file.
_action_triggers() {
  local offered=() word
  mapfile -t offered < <("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=()
  for word in "${offered[@]}"; do COMPREPLY+=("$(printf %q "${word%%$'\t'*}")"); done
}
complete -o default -F _action_triggers action-triggers
