#pragma once

/// Marks what the shared library exports; everything else is built with hidden visibility.
#if defined(__GNUC__)
#define ACTION_TRIGGERS_EXPORT [[gnu::visibility("default")]]
#else
#define ACTION_TRIGGERS_EXPORT
#endif
