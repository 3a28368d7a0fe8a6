#pragma once

namespace jcs {

/// Whom a network follows where the paper and the authors' public code differ; where the paper is silent, both follow
/// the code. It describes the network only, never how it is trained.
enum class Variant { kPaper, kAuthors };

}  // namespace jcs
