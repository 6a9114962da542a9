# culvert as its users embed it: the installed package, and the source tree within another project.
if(CULVERT_TESTS AND NOT CULVERT_SANITIZE AND NOT CULVERT_FUZZ)
  add_test(NAME embed COMMAND ${CMAKE_CURRENT_LIST_DIR}/run ${PROJECT_BINARY_DIR})
  add_test(NAME embed_subproject COMMAND ${CMAKE_CURRENT_LIST_DIR}/subproject/run ${PROJECT_SOURCE_DIR})
  set_tests_properties(embed embed_subproject PROPERTIES LABELS embed TIMEOUT 600 SKIP_RETURN_CODE 77)
endif()
