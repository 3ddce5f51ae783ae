# cmake -DCASE=core|micro|full|jobs|readme|pkgconfig|missing -DBUILD=... -DSOURCE=... -DWORK=... -DCXX=... -DGENERATOR=... [-DINSTALL=component,...]
#       [-DREADELF=... -DPYTHON=...] -P consume.cmake
#
# Installs ntkrob from the build tree BUILD into a fresh prefix under WORK (all of it, or the components INSTALL), then builds
# and runs a consumer in the way named by CASE.
cmake_minimum_required(VERSION 3.20)

set(prefix ${WORK}/prefix)
set(tree ${WORK}/build)
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command}\nfailed with status ${status}:\n${output}")
  endif()
  message("${output}")
endfunction()

string(REPLACE "," ";" INSTALL "${INSTALL}")
if(INSTALL)
  foreach(component IN LISTS INSTALL)
    run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix} --component ${component})
  endforeach()
else()
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
endif()

# What was installed loads nothing from folders that others may write (the trainer for devices alone is a static library,
# which has no run path).
if(READELF AND PYTHON AND NOT INSTALL AND NOT CASE STREQUAL "micro")
  run(${PYTHON} -B ${SOURCE}/../architecture/check_run_paths.py ${prefix} ${READELF})
endif()

set(configure ${CMAKE_COMMAND} -G "${GENERATOR}" -B ${tree} -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_COMPILER=${CXX}
  -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS=${FLAGS}")
if(CASE STREQUAL "core" OR CASE STREQUAL "full" OR CASE STREQUAL "jobs" OR CASE STREQUAL "readme")
  run(${configure} -S ${SOURCE}/${CASE})
  run(${CMAKE_COMMAND} --build ${tree})
  run(${CMAKE_COMMAND} -E chdir ${tree} ${tree}/consumer)
elseif(CASE STREQUAL "micro")
  run(${configure} -S ${SOURCE}/micro)
  run(${CMAKE_COMMAND} --build ${tree})
  run(${tree}/consumer)
  run(${tree}/consumer_c)
elseif(CASE STREQUAL "pkgconfig")
  file(GLOB_RECURSE pc ${prefix}/*/ntkrob.pc)
  get_filename_component(directory ${pc} DIRECTORY)
  set(ENV{PKG_CONFIG_PATH} ${directory})
  execute_process(COMMAND pkg-config --cflags --libs --static ntkrob OUTPUT_VARIABLE words
    OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(words UNIX_COMMAND "${words}")
  separate_arguments(flags UNIX_COMMAND "${FLAGS}")
  run(${CXX} -std=c++17 ${flags} ${SOURCE}/full/main.cpp -o ${WORK}/consumer ${words})
  run(${WORK}/consumer)
elseif(CASE STREQUAL "missing")
  foreach(component kernel no_such_component)
    execute_process(COMMAND ${configure} -S ${SOURCE}/missing -Dcomponent=${component}
      RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    string(REGEX REPLACE "[ \n]+" " " line "${output}")
    if(status EQUAL 0 OR NOT line MATCHES "component \"${component}\" of ntkrob not found")
      message(FATAL_ERROR "asking for ${component} should fail and say so; status ${status}:\n${output}")
    endif()
    message(STATUS "${component} was refused:\n${output}")
  endforeach()
else()
  message(FATAL_ERROR "unknown case \"${CASE}\"")
endif()
