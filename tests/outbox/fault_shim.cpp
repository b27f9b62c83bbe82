// SPDX-License-Identifier: MIT
// Loaded into a program before its libraries (LD_PRELOAD). The program is what it always is, except that it dies, or
// that the file system fails it, where a test says so:
//
//   AT_KILL_AT=N          SIGKILL at the Nth of the moments right before and right after each statement that it hands
//   to
//                         libpq or to SQLite (from 1; absent or 0: never)
//   AT_FILE_ERRORS=PATH   while the file PATH exists: what it says, ENOSPC or EROFS, is what the system says to whoever
//                         makes a file longer (ENOSPC), or opens one for writing or changes it (EROFS)
//   AT_WITHOUT_SYNC=1     nobody waits for the disk: what is written outlives the process all the same
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <string_view>
#ifdef ACTION_TRIGGERS_WITH_POSTGRESQL
#include <libpq-fe.h>
#endif
#ifdef ACTION_TRIGGERS_WITH_SQLITE
#include <sqlite3.h>
#endif

namespace {

/// The function that would be called without this library.
template <class Function>
Function* next(const char* name, Function* /*of this type*/) {
  void* const found = ::dlsym(RTLD_NEXT, name);
  if (found == nullptr) std::abort();
  return reinterpret_cast<Function*>(found);
}

// ---------------------------------------------------------------------------------------------------------- statements

std::atomic<unsigned long> moments{0};
thread_local int depth = 0;

unsigned long kill_at() {
  static const unsigned long number = [] {
    const char* const text = std::getenv("AT_KILL_AT");
    return text == nullptr ? 0UL : std::strtoul(text, nullptr, 10);
  }();
  return number;
}

/// One statement while it is handed over. The libraries call some of these functions themselves: only the outermost
/// counts.
class Statement {
 public:
  Statement() {
    if (depth++ == 0) moment();
  }
  ~Statement() {
    if (--depth == 0) moment();
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

 private:
  static void moment() {
    if (++moments == kill_at()) ::kill(::getpid(), SIGKILL);
  }
};

// --------------------------------------------------------------------------------------------------------- file system

/// 0, ENOSPC or EROFS.
int file_error() {
  static const char* const path = std::getenv("AT_FILE_ERRORS");
  if (path == nullptr) return 0;
  static auto* const real_open = next("open64", &::open);
  const int file = real_open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[6] = {};
  const auto size = ::read(file, text, sizeof text);
  ::close(file);
  const std::string_view name(text, size < 0 ? 0 : static_cast<std::size_t>(size));
  return name.starts_with("ENOSPC") ? ENOSPC : name.starts_with("EROFS") ? EROFS : 0;
}

/// True: nothing is to be written there, and errno says why.
bool fails_to_write(int file, off_t end) {
  const int before = errno;
  const int error = file_error();
  struct stat status {};
  const bool grows = error == ENOSPC && ::fstat(file, &status) == 0 && end > status.st_size;
  errno = error == EROFS || grows ? error : before;
  return error == EROFS || grows;
}

bool fails_to_change() {
  if (file_error() != EROFS) return false;
  errno = EROFS;
  return true;
}

}  // namespace

extern "C" {

#ifdef ACTION_TRIGGERS_WITH_SQLITE
int sqlite3_step(sqlite3_stmt* statement) {
  static auto* const real = next("sqlite3_step", &sqlite3_step);
  const Statement one;
  return real(statement);
}

int sqlite3_exec(sqlite3* db, const char* sql, int (*callback)(void*, int, char**, char**), void* argument,
                 char** error) {
  static auto* const real = next("sqlite3_exec", &sqlite3_exec);
  const Statement one;
  return real(db, sql, callback, argument, error);
}
#endif

#ifdef ACTION_TRIGGERS_WITH_POSTGRESQL
PGresult* PQexec(PGconn* connection, const char* statement) {
  static auto* const real = next("PQexec", &PQexec);
  const Statement one;
  return real(connection, statement);
}

PGresult* PQexecParams(PGconn* connection, const char* statement, int count, const Oid* types,
                       const char* const* values, const int* lengths, const int* formats, int result_format) {
  static auto* const real = next("PQexecParams", &PQexecParams);
  const Statement one;
  return real(connection, statement, count, types, values, lengths, formats, result_format);
}

int PQsendQuery(PGconn* connection, const char* statement) {
  static auto* const real = next("PQsendQuery", &PQsendQuery);
  const Statement one;
  return real(connection, statement);
}

int PQsendQueryParams(PGconn* connection, const char* statement, int count, const Oid* types, const char* const* values,
                      const int* lengths, const int* formats, int result_format) {
  static auto* const real = next("PQsendQueryParams", &PQsendQueryParams);
  // In a pipeline it leaves with the sync.
  if (PQpipelineStatus(connection) != PQ_PIPELINE_OFF) {
    return real(connection, statement, count, types, values, lengths, formats, result_format);
  }
  const Statement one;
  return real(connection, statement, count, types, values, lengths, formats, result_format);
}

int PQpipelineSync(PGconn* connection) {
  static auto* const real = next("PQpipelineSync", &PQpipelineSync);
  const Statement one;
  return real(connection);
}
#endif

ssize_t pwrite64(int file, const void* data, size_t size, off64_t offset) {
  static auto* const real = next("pwrite64", &pwrite64);
  if (fails_to_write(file, offset + static_cast<off_t>(size))) return -1;
  return real(file, data, size, offset);
}

int ftruncate64(int file, off64_t size) noexcept {
  static auto* const real = next("ftruncate64", &ftruncate64);
  return fails_to_change() ? -1 : real(file, size);
}

int fdatasync(int file) {
  static auto* const real = next("fdatasync", &fdatasync);
  static const bool waits = std::getenv("AT_WITHOUT_SYNC") == nullptr;
  return waits ? real(file) : 0;
}

int fsync(int file) {
  static auto* const real = next("fsync", &fsync);
  static const bool waits = std::getenv("AT_WITHOUT_SYNC") == nullptr;
  return waits ? real(file) : 0;
}

int unlink(const char* path) noexcept {
  static auto* const real = next("unlink", &unlink);
  return fails_to_change() ? -1 : real(path);
}

int open64(const char* path, int flags, ...) {
  static auto* const real = next("open64", &::open);
  std::va_list arguments;
  va_start(arguments, flags);
  const auto mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if ((flags & O_ACCMODE) != O_RDONLY && fails_to_change()) return -1;
  return real(path, flags, mode);
}

}  // extern "C"
