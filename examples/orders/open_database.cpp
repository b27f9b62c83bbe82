// SPDX-License-Identifier: MIT
#include <stdexcept>

#include "database.hpp"

namespace shop {

std::unique_ptr<Database> open_database(const std::string& where) {
  if (where.rfind("postgresql://", 0) != 0) return open_sqlite(where);
#ifdef SHOP_WITH_POSTGRESQL
  return open_postgresql(where);
#else
  throw std::runtime_error("this program was built without PostgreSQL");
#endif
}

}  // namespace shop
