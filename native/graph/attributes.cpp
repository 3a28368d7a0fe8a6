#include "graph/attributes.h"

#include <charconv>

namespace jcs {

void AttributeText::append(float value) {
  char digits[32];
  text_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace jcs
