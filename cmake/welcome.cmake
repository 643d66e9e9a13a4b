# SPDX-License-Identifier: Apache-2.0
# The few words that every room's CMakeLists.txt uses.

find_package(Threads REQUIRED)
if(WELCOME_CCACHE)
  find_program(CCACHE ccache)
  if(CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  endif()
endif()
find_package(PkgConfig REQUIRED)

add_library(welcome_warnings INTERFACE)
target_compile_options(welcome_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow)
if(WELCOME_WERROR)
  target_compile_options(welcome_warnings INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 reports these in its own standard library once that is inlined (GCC bugs 105329, 105651,
  # 107852); AddressSanitizer finds the true ones.
  target_compile_options(welcome_warnings INTERFACE -Wno-array-bounds -Wno-stringop-overflow
                         -Wno-stringop-overread -Wno-restrict)
  # Instrumented, gcc reports even more of them; the Release build is the one that judges.
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    target_compile_options(welcome_warnings INTERFACE -Wno-error)
  endif()
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # gcc is the compiler of the product and judges the warnings; clang builds the fuzzers, and its
  # -Wconversion means more than gcc's.
  target_compile_options(welcome_warnings INTERFACE -Wno-error)
endif()

# welcome_unity(NAME FILES): with CMAKE_UNITY_BUILD, so many files are compiled at a time, which takes
# less than half the time (docs/decisions/0116-eight-files-at-a-time.md).
function(welcome_unity name files)
  set_target_properties(${name} PROPERTIES UNITY_BUILD_BATCH_SIZE ${files})
  if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc warns of a class with members of an unnamed namespace, unless it stands in the file that is
    # compiled; here that is one of CMake's, which includes ours.
    target_compile_options(${name} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

# welcome_library(NAME SOURCES a.cpp … DEPS public… PRIVATE_DEPS private…)
# A room of the house. Includes are written from the project's root: "beacon/advert.h".
function(welcome_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_DEPS} PRIVATE welcome_warnings ${arg_PRIVATE_DEPS})
  welcome_unity(${name} 8)
endfunction()

# What tests, benchmarks and fuzzers are made of.
function(welcome_executable name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE welcome_warnings ${arg_DEPS})
  welcome_unity(${name} 4)
endfunction()

# welcome_program(NAME SOURCES a.cpp … DEPS …)
# A program that somebody runs. The target `programs` builds all of them and no test.
add_custom_target(programs)
function(welcome_program name)
  welcome_executable(${name} ${ARGN})
  add_dependencies(programs ${name})
endfunction()

# The target `tests-LABEL` builds the tests of one label.
function(welcome_labelled_test name label)
  if(NOT TARGET tests-${label})
    add_custom_target(tests-${label})
  endif()
  add_dependencies(tests-${label} ${name})
endfunction()

# Tests are compiled for the compiler's time, the product for what it has to do: gcc takes half as long
# for a test at -O1 as at -O3, and half as long without UndefinedBehaviorSanitizer and line counts, which
# are about the product's own files.
function(welcome_compile_as_test name)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(${name} PRIVATE -O1)
  elseif(CMAKE_CXX_FLAGS MATCHES "-fsanitize=address,undefined")
    target_compile_options(${name} PRIVATE -fno-sanitize=undefined)
    if(CMAKE_CXX_FLAGS MATCHES "--coverage")
      target_compile_options(${name} PRIVATE -fno-profile-arcs -fno-test-coverage)
    endif()
  endif()
endfunction()

# welcome_test(NAME LABEL unit SOURCES a_test.cpp … DEPS …)
# One GoogleTest program; every test of it is a test of ctest, labelled for `ctest -L`.
# A test finds ../shared/data through the environment variable WELCOME_DATA and skips by name
# where that is not set. Property tests take the same cases each time, so that a change is judged by
# what it changes; with NIGHTLY_PROPERTIES FILTER the nightly tests look for new cases.
function(welcome_test name)
  cmake_parse_arguments(arg "" "LABEL;NIGHTLY_PROPERTIES" "SOURCES;DEPS" ${ARGN})
  welcome_executable(${name} SOURCES ${arg_SOURCES} DEPS ${arg_DEPS} GTest::gtest_main GTest::gmock)
  welcome_compile_as_test(${name})
  welcome_labelled_test(${name} ${arg_LABEL})
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}:"
                       PROPERTIES LABELS ${arg_LABEL} TIMEOUT 300 ENVIRONMENT RC_PARAMS=seed=1)
  if(arg_NIGHTLY_PROPERTIES)
    add_test(NAME ${name}_properties COMMAND ${name} --gtest_filter=${arg_NIGHTLY_PROPERTIES})
    set_tests_properties(${name}_properties PROPERTIES LABELS nightly TIMEOUT 3600
                         ENVIRONMENT RC_PARAMS=max_success=1000)
  endif()
endfunction()

# welcome_bench(NAME SOURCES a_bench.cpp … DEPS …)
# The target `benchmarks` builds all of them and no test.
add_custom_target(benchmarks)
function(welcome_bench name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  welcome_executable(${name} SOURCES ${arg_SOURCES} DEPS ${arg_DEPS} benchmark::benchmark_main)
  add_dependencies(benchmarks ${name})
endfunction()
