# SPDX-License-Identifier: MIT
# What fish offers after `action-triggers`: the command itself says it. Without an offer fish completes the name of a file.
function __action_triggers_offered
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    $words[1] __complete $words[2..] "$word" 2>/dev/null
end
complete -c action-triggers -f -n 'count (__action_triggers_offered) >/dev/null' -a '(__action_triggers_offered)'
