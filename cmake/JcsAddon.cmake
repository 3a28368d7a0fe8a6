# jcs.node: the N-API addon. It opens backends at run time and links none.

jcs_sources(binding_sources native/binding)
set(modules "${CMAKE_SOURCE_DIR}/node_modules")
if(NOT EXISTS "${modules}/node-addon-api/napi.h" OR NOT EXISTS "${modules}/node-api-headers/include/node_api.h")
  message(WARNING "jcs.node is not built: node_modules lacks node-addon-api or node-api-headers. Run `npm run setup`.")
  return()
endif()

add_library(jcs_addon MODULE ${binding_sources})
jcs_compiler_options(jcs_addon)
set_target_properties(jcs_addon PROPERTIES OUTPUT_NAME jcs PREFIX "" SUFFIX ".node")
# A worker that is terminated takes no exception any more; without SWALLOW that ends the whole process. Electron, like all
# that build V8 with its memory cage, knows no buffers outside of it: with NO_EXTERNAL_BUFFERS none can be written here.
target_compile_definitions(jcs_addon PRIVATE NAPI_VERSION=8 NODE_ADDON_API_CPP_EXCEPTIONS
                                             NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
                                             NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED)
target_include_directories(jcs_addon SYSTEM PRIVATE "${modules}/node-addon-api" "${modules}/node-api-headers/include")
target_link_libraries(jcs_addon PRIVATE jcs_ops jcs_core Threads::Threads ${CMAKE_DL_LIBS})
set(exports "${CMAKE_SOURCE_DIR}/cmake/addon.map")
target_link_options(jcs_addon PRIVATE "LINKER:--version-script=${exports}")
set_target_properties(jcs_addon PROPERTIES LINK_DEPENDS "${exports}")
if(TARGET jcs_cpu)
  add_dependencies(jcs_addon jcs_cpu)
endif()
