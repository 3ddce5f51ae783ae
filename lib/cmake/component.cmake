# ntkrob_component(NAME SOURCES ... PUBLIC ... PRIVATE ...): one library target of the component graph, with alias
# ntkrob::NAME, installed with its public headers as install component NAME in an export set of its own.
# A component without sources is an interface library.
# ntkrob_test(NAME SOURCES ... LINK ... LABELS ...): one Catch2 test program, registered with ctest.

add_library(ntkrob_flags INTERFACE)
target_compile_features(ntkrob_flags INTERFACE cxx_std_17)
# No contraction: whether a product and a sum are fused would depend on the instruction set, and so would the bits.
target_compile_options(ntkrob_flags INTERFACE -Wall -Wextra -Wpedantic -Wno-unknown-pragmas -ffp-contract=off)
if(NTKROB_SANITIZE STREQUAL "thread")
  set(ntkrob_sanitizers thread)
elseif(NTKROB_SANITIZE)
  set(ntkrob_sanitizers address,undefined)
endif()
if(ntkrob_sanitizers)
  target_compile_options(ntkrob_flags INTERFACE -fsanitize=${ntkrob_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(ntkrob_flags INTERFACE -fsanitize=${ntkrob_sanitizers})
endif()

# What is installed is linked with its final run path: CMake would make room for another one by empty elements, and an
# empty element is the current directory. Libraries outside of the loader's own folders stay found; those of a shared
# build are found from `origin`, relative to the file itself.
function(ntkrob_run_path target origin)
  set_target_properties(${target} PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH_USE_LINK_PATH ON)
  if(BUILD_SHARED_LIBS)
    set_target_properties(${target} PROPERTIES INSTALL_RPATH "${origin}" LIBRARY_OUTPUT_DIRECTORY ${NTKROB_LIBRARY_FOLDER})
  endif()
endfunction()

# ntkrob_rows(FILE MACRO OUT): the first words of the rows MACRO(word, ...) or MACRO("word", ...) of a .def file, which is
# read anew when it changes.
function(ntkrob_rows file macro out)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(STRINGS ${file} rows REGEX "^${macro}\\(")
  set(names "")
  foreach(row IN LISTS rows)
    string(REGEX REPLACE "^${macro}\\(\"?([a-z0-9_-]+)\"?,.*" "\\1" name "${row}")
    list(APPEND names ${name})
  endforeach()
  set(${out} ${names} PARENT_SCOPE)
endfunction()

function(ntkrob_component name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  if(arg_SOURCES)
    add_library(ntkrob_${name} ${arg_SOURCES})
    set(scope PUBLIC)
    ntkrob_run_path(ntkrob_${name} $ORIGIN)
    target_link_libraries(ntkrob_${name} PRIVATE $<BUILD_INTERFACE:ntkrob_flags> ${arg_PRIVATE})
    target_include_directories(ntkrob_${name} PRIVATE ${PROJECT_SOURCE_DIR}/lib/src)
  else()
    add_library(ntkrob_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(ntkrob::${name} ALIAS ntkrob_${name})
  set_target_properties(ntkrob_${name} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
  target_compile_features(ntkrob_${name} ${scope} cxx_std_17)
  target_include_directories(ntkrob_${name} ${scope}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/lib/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(arg_PUBLIC)
    target_link_libraries(ntkrob_${name} ${scope} ${arg_PUBLIC})
  endif()
  ntkrob_install_component(${name})
endfunction()

# Installs a component: library, export set, public headers. What the package configuration has to know about it is
# collected in package.cmake, when all links are known.
function(ntkrob_install_component name)
  set_property(GLOBAL APPEND PROPERTY ntkrob_components ${name})
  install(TARGETS ntkrob_${name} EXPORT ntkrob-${name}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${name}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${name}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${name})
  install(EXPORT ntkrob-${name} NAMESPACE ntkrob:: FILE ntkrob-${name}-targets.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ntkrob COMPONENT ${name})
  if(EXISTS ${PROJECT_SOURCE_DIR}/lib/include/ntkrob/${name})
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/lib/include/ntkrob/${name}
      DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ntkrob COMPONENT ${name} FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h" PATTERN "*.def")
  endif()
endfunction()

function(ntkrob_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(test_${name} ${arg_SOURCES})
  target_link_libraries(test_${name} PRIVATE ntkrob_flags ntkrob_test_kit ${arg_LINK})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/lib/src)
  add_test(NAME ${name} COMMAND test_${name})
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()
