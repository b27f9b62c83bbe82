// SPDX-License-Identifier: MIT
/// ACTION_TRIGGERS_EXPORT marks what the shared library exports; everything else is built with hidden visibility.
#pragma once

#define ACTION_TRIGGERS_EXPORT [[gnu::visibility("default")]]
