#compdef action-triggers
# SPDX-License-Identifier: MIT
# What zsh offers after `action-triggers`: the command itself says it. Without an offer zsh completes the name of a file.
local -a offered described
local line
offered=("${(@f)$(${(Q)words[1]} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
for line in $offered; do
  described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
done
if (( $#described )); then
  _describe -t words 'action-triggers' described
else
  _files
fi
