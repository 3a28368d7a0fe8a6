#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace jcs {

/// Writes what an op's `visit` hands it as 'name=value name=value'. Equal text means equal values: floats have as many
/// digits as tell any two of them apart.
class AttributeText {
 public:
  template <typename T>
  void operator()(std::string_view name, const T& value) {
    if constexpr (requires { value.visit(*this); }) {
      value.visit(*this);
    } else {
      if (!text_.empty()) text_ += ' ';
      text_ += name;
      text_ += '=';
      append(value);
    }
  }
  const std::string& text() const { return text_; }

 private:
  template <typename T>
  void append(const T& value) {
    if constexpr (std::integral<T>)
      text_ += std::to_string(value);
    else
      text_ += nameOf(value);  // enumerations
  }
  void append(float value);
  void append(const Shape& shape) { text_ += shape.toString(); }
  void append(const std::vector<int64_t>& values) {
    for (size_t i = 0; i < values.size(); ++i) text_ += (i ? "," : "") + std::to_string(values[i]);
  }

  std::string text_;
};

/// The attributes of an op, or of a part of them.
template <typename T>
std::string textOf(const T& attributes) {
  AttributeText text;
  if constexpr (requires { attributes.visit(text); }) attributes.visit(text);
  return text.text();
}

}  // namespace jcs
